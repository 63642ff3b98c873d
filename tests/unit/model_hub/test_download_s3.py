"""Downloads from and uploads to S3: boto3 against moto's server on loopback."""

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from image_classifier.cloud import s3
from image_classifier.cloud.s3 import Access, Location, S3Storage
from image_classifier.contract.errors import PlatformError, UserError
from image_classifier.model_hub import download, download_s3
from tests.support.buckets import LocalBucket, bucket_on_this_machine
from tests.support.file_server import answering
from tests.support.waiting import free_port


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalBucket]:
    """An empty bucket."""
    with bucket_on_this_machine(monkeypatch) as found:
        yield found


def fetch(uri: str, into: Path, access: Access | None = None, sha256: str | None = None) -> str:
    """Download one object."""
    return download_s3.fetch(S3Storage(access or Access()), s3.parse(uri), into, sha256)


def test_object_is_downloaded_with_its_checksum(bucket: LocalBucket, tmp_path: Path) -> None:
    """Given an object of several parts -> its content and sha256, and no other file; with another sha256 -> no file."""
    content = random.Random(0).randbytes(9 << 20)
    uri, sha256 = bucket.put("folder/file", content), hashlib.sha256(content).hexdigest()
    assert fetch(uri, tmp_path / "new" / "file", sha256=sha256.upper()) == sha256
    assert (tmp_path / "new" / "file").read_bytes() == content
    with pytest.raises(PlatformError, match=rf"sent a file with sha256 {sha256}; expected 0000"):
        fetch(uri, tmp_path / "new" / "other", sha256="0" * 64)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file"]


def test_object_that_changes_meanwhile_is_rejected(
    bucket: LocalBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given an object of several parts that is replaced during its download -> PlatformError, and no file."""
    uri = bucket.put("file", bytes(9 << 20))
    with monkeypatch.context() as patched:
        patched.setattr(S3Storage, "size", lambda *_: 1)
        storage = S3Storage(Access())
        head = storage._client.head_object

        def stale(**arguments: Any) -> Any:
            found = head(**arguments)
            bucket.put("file", bytes([1]) * (9 << 20))
            return found

        patched.setattr(storage._client, "head_object", stale)
        with pytest.raises(PlatformError, match=rf"^{uri} changed while it was downloaded\. Try again\.$"):
            download_s3.fetch(storage, s3.parse(uri), tmp_path / "file")
    assert not list(tmp_path.iterdir())


def test_large_object_is_rejected_before_its_download(
    bucket: LocalBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given an object that S3 states to be larger than the limit -> UserError, and nothing is downloaded."""
    monkeypatch.setattr(S3Storage, "size", lambda *_: download.MAX_BYTES + 1)
    with pytest.raises(UserError, match=r"file is larger than 8,589,934,592 bytes"):
        fetch(bucket.put("file", b"x"), tmp_path / "file")
    assert not list(tmp_path.iterdir())


def test_missing_object_and_bucket_are_named(bucket: LocalBucket, tmp_path: Path) -> None:
    """Given a key or a bucket that does not exist -> UserError with the address and what to check."""
    with pytest.raises(UserError, match=rf"s3://{bucket.name}/absent does not exist \(404: Not Found\)\. Check the b"):
        fetch(f"s3://{bucket.name}/absent", tmp_path / "file")
    with pytest.raises(UserError, match=r"s3://no-such-bucket/file does not exist \(404"):
        fetch("s3://no-such-bucket/file", tmp_path / "file")


@pytest.mark.every
def test_rejection_and_anonymous_access(bucket: LocalBucket, tmp_path: Path) -> None:
    """Given unsigned requests -> a private object is rejected with the required permission, a public one downloaded."""
    private, public = bucket.put("private", b"x"), bucket.put("public", b"y", public=True)
    with pytest.raises(UserError, match=r"AWS rejected HeadObject for .*private \(403: .*s3:GetObject"):
        fetch(private, tmp_path / "file", Access(anonymous=True))
    fetch(public, tmp_path / "file", Access(anonymous=True))
    assert (tmp_path / "file").read_bytes() == b"y"


def test_no_credentials_is_one_sentence(bucket: LocalBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given no credentials -> one sentence that says where a job and a command take them from."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(UserError, match=r"No AWS credentials for s3://.*its execution role"):
        fetch(bucket.put("file", b"x"), tmp_path / "file")


@pytest.mark.every
def test_busy_and_silent_servers(bucket: LocalBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a server that always answers 503, and a port without a server -> PlatformError after bounded attempts."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    with answering(lambda _: (503, b"<Error><Code>SlowDown</Code><Message>slower</Message></Error>")) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        with pytest.raises(
            PlatformError, match=r"s3://bucket/folder/: AWS answered SlowDown: slower\. Try again later"
        ):
            list(S3Storage(Access()).list(Location("bucket", "folder/")))
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(PlatformError, match="s3://bucket/file cannot be reached: Could not connect"):
        fetch("s3://bucket/file", tmp_path / "file")
    with pytest.raises(PlatformError, match="cannot be reached"):
        list(S3Storage(Access()).list(Location("bucket", "folder/")))


def test_folder_with_its_folders(bucket: LocalBucket, tmp_path: Path) -> None:
    """Given a folder of which one file exists already -> the others are downloaded with their subfolders."""
    for key, content in {"m/1/saved_model.pb": b"graph", "m/info.json": b"{}", "mother/x": b"not in m"}.items():
        bucket.put(key, content)
    (tmp_path / "info.json").write_bytes(b"[]")
    count = download_s3.fetch_folder(S3Storage(Access()), Location(bucket.name, "m/"), tmp_path)
    assert count == 2
    found = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {"1/saved_model.pb": b"graph", "info.json": b"[]"}


def test_empty_and_escaping_folders_are_rejected(bucket: LocalBucket, tmp_path: Path) -> None:
    """Given a folder without objects, and a key that points outside -> UserError, and nothing is written."""
    with pytest.raises(UserError, match="m/ is empty"):
        download_s3.fetch_folder(S3Storage(Access()), Location(bucket.name, "m/"), tmp_path / "into")
    bucket.put("m/..\\escaped", b"x")
    with pytest.raises(UserError, match="points outside the folder"):
        download_s3.fetch_folder(S3Storage(Access()), Location(bucket.name, "m/"), tmp_path / "into")
    assert not list(tmp_path.iterdir())


def test_uploads_a_file_and_a_folder(bucket: LocalBucket, tmp_path: Path) -> None:
    """Given a file and a folder -> objects under the given keys; given a missing bucket -> UserError."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_bytes(b"x")
    storage = S3Storage(Access())
    storage.put(tmp_path / "a" / "b" / "file", s3.parse(f"s3://{bucket.name}/one"))
    assert storage.put_folder(tmp_path / "a", s3.parse(f"s3://{bucket.name}/data/")) == 1
    assert bucket.keys() == ["data/b/file", "one"]
    with pytest.raises(UserError, match=r"no-such-bucket/one does not exist \(NoSuchBucket: "):
        storage.put(tmp_path / "a" / "b" / "file", s3.parse("s3://no-such-bucket/one"))


@pytest.mark.parametrize("uri", ["https://host/file", "s3:/bucket/key", "s3://B/key", "s3://", "bucket/key"])
def test_invalid_address_is_rejected(uri: str) -> None:
    """Given anything but s3://bucket/key -> UserError with an example."""
    with pytest.raises(UserError, match=r"is not an S3 address\. Expected s3://bucket/key"):
        s3.parse(uri)
