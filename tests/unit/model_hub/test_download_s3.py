"""Downloads from S3: moto's server over HTTP, asked through boto3."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from image_classifier.cloud import s3
from image_classifier.cloud.s3 import Access, Location, Storage
from image_classifier.contract.errors import PlatformError, UserError
from image_classifier.model_hub import download, download_s3
from image_classifier.model_hub.download_s3 import S3Object
from tests.support.buckets import LocalBucket, bucket_on_this_machine
from tests.support.file_server import answering
from tests.support.waiting import free_port


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalBucket]:
    """An empty bucket."""
    with bucket_on_this_machine(monkeypatch) as found:
        yield found


def fetch(uri: str, into: Path, access: Access | None = None) -> str:
    """Download one object."""
    return download.fetch(S3Object(Storage(access or Access()), s3.parse(uri)), into)


def test_object_whole_and_continued(bucket: LocalBucket, tmp_path: Path) -> None:
    """An object; then half of it with its ETag noted -> whole both times, the second time by its other half alone."""
    uri = bucket.put("folder/file", b"0123456789")
    fetch(uri, tmp_path / "whole")
    assert (tmp_path / "whole").read_bytes() == b"0123456789"
    etag = bucket.client.head_object(Bucket=bucket.name, Key="folder/file")["ETag"]
    (tmp_path / "half.partial").write_bytes(b"abcde")
    identity = hashlib.sha256(uri.encode()).hexdigest()
    note = {"identity": identity, "version": etag, "total": 10, "md5": None}
    (tmp_path / "half.partial.json").write_text(json.dumps(note))
    fetch(uri, tmp_path / "half")
    assert (tmp_path / "half").read_bytes() == b"abcde56789"


def test_changed_object_is_fetched_anew(bucket: LocalBucket, tmp_path: Path) -> None:
    """Half of an object that has another ETag by now -> the new one, from its first byte."""
    uri = bucket.put("file", b"0123456789")
    (tmp_path / "file.partial").write_bytes(b"abcde")
    note = {"address": uri, "version": '"another"', "total": 10, "md5": None}
    (tmp_path / "file.partial.json").write_text(json.dumps(note))
    fetch(uri, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"0123456789"


def test_absent_object_and_bucket_are_said(bucket: LocalBucket, tmp_path: Path) -> None:
    """A key, a bucket that is not there -> one sentence each with the address."""
    with pytest.raises(UserError, match=rf"s3://{bucket.name}/absent does not exist \(NoSuchKey"):
        fetch(f"s3://{bucket.name}/absent", tmp_path / "file")
    with pytest.raises(UserError, match=r"does not exist \(NoSuchBucket"):
        fetch("s3://no-such-bucket/file", tmp_path / "file")


def test_rejection_and_anonymous_access(bucket: LocalBucket, tmp_path: Path) -> None:
    """A private object without a signature -> rejected with the permission it takes; a public one -> fetched."""
    private, public = bucket.put("private", b"x"), bucket.put("public", b"y", public=True)
    with pytest.raises(UserError, match=r"private is rejected by S3 \(.*s3:GetObject"):
        fetch(private, tmp_path / "file", Access(anonymous=True))
    fetch(public, tmp_path / "file", Access(anonymous=True))
    assert (tmp_path / "file").read_bytes() == b"y"


def test_no_credentials_is_one_sentence(bucket: LocalBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's credentials -> what is missing and where a job takes it from."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(UserError, match=r"there are no AWS credentials .*its role's"):
        fetch(bucket.put("file", b"x"), tmp_path / "file")


def test_busy_and_silent_servers(bucket: LocalBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 that answers 503 for good, a port where nobody listens -> one sentence each after bounded attempts."""
    monkeypatch.setattr(download, "FIRST_PAUSE_SECONDS", 0.01)
    with answering(lambda _: (503, b"<Error><Code>SlowDown</Code><Message>slower</Message></Error>")) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        with pytest.raises(PlatformError, match="cannot be fetched: SlowDown"):
            fetch("s3://bucket/file", tmp_path / "file")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(PlatformError, match="cannot be fetched: Could not connect"):
        fetch("s3://bucket/file", tmp_path / "file")
    with pytest.raises(PlatformError, match="cannot be reached"):
        list(Storage(Access()).list(Location("bucket", "folder/")))


def test_folder_with_its_folders(bucket: LocalBucket, tmp_path: Path) -> None:
    """Files of a folder, one of them here already -> all laid out below, the one that is here not asked for again."""
    for key, content in {"m/1/saved_model.pb": b"graph", "m/info.json": b"{}", "mother/x": b"not in m"}.items():
        bucket.put(key, content)
    (tmp_path / "info.json").write_bytes(b"[]")
    count = download_s3.fetch_folder(Storage(Access()), Location(bucket.name, "m/"), tmp_path)
    assert count == 2
    found = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {"1/saved_model.pb": b"graph", "info.json": b"[]"}


def test_empty_and_escaping_folders_are_rejected(bucket: LocalBucket, tmp_path: Path) -> None:
    """A folder without objects, a key that points outside -> rejected, and nothing is written."""
    with pytest.raises(UserError, match="holds nothing"):
        download_s3.fetch_folder(Storage(Access()), Location(bucket.name, "m/"), tmp_path / "into")
    bucket.put("m/..\\escaped", b"x")
    with pytest.raises(UserError, match="points outside the folder"):
        download_s3.fetch_folder(Storage(Access()), Location(bucket.name, "m/"), tmp_path / "into")
    assert not list(tmp_path.iterdir())


def test_uploads_a_file_and_a_folder(bucket: LocalBucket, tmp_path: Path) -> None:
    """A file, a folder -> objects under the given keys."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_bytes(b"x")
    storage = Storage(Access())
    storage.put(tmp_path / "a" / "b" / "file", s3.parse(f"s3://{bucket.name}/one"))
    assert storage.put_folder(tmp_path / "a", s3.parse(f"s3://{bucket.name}/data/")) == 1
    assert bucket.keys() == ["data/b/file", "one"]
    with pytest.raises(UserError, match=r"no-such-bucket/one .*NoSuchBucket"):
        storage.put(tmp_path / "a" / "b" / "file", s3.parse("s3://no-such-bucket/one"))


@pytest.mark.parametrize("uri", ["https://host/file", "s3:/bucket/key", "s3://B/key", "s3://", "bucket/key"])
def test_what_is_no_address_is_said(uri: str) -> None:
    """Anything but s3://bucket/key -> one sentence with an example."""
    with pytest.raises(UserError, match=r"is no S3 address\. Expected s3://bucket/key"):
        s3.parse(uri)
