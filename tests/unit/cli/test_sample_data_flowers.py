"""The flowers from a web server and from a bucket: counts, checksum, a broken download."""

import hashlib
import io
import random
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from image_classifier.cli import sample_data
from image_classifier.cloud.s3 import Access
from image_classifier.contract.errors import PlatformError, UserError
from image_classifier.model_hub import download_http, packages
from image_classifier.model_hub.jumpstart import Bucket
from image_classifier.photographs import flowers
from image_classifier.photographs.flowers import Archive
from tests.support.buckets import LocalBucket, bucket_on_this_machine
from tests.support.faulty_server import Cut, FaultyServer, serving

COUNTS = {"daisy": 1, "roses": 2}
NAMES = ("daisy/1.jpg", "roses/2.jpg", "roses/3.JPG", "LICENSE.txt")


def packed(names: Mapping[str, bytes]) -> bytes:
    """Return a tar.gz."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, content in names.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return file.getvalue()


NOISE = random.Random(0)
CONTENT = packed({f"flower_photos/{name}": NOISE.randbytes(20_000) for name in NAMES})


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing has been fetched before, and nothing waits between two attempts."""
    monkeypatch.setattr(download_http, "FIRST_PAUSE_SECONDS", 0)
    monkeypatch.setenv(packages.CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    """Serve two classes as flower_photos.tgz."""
    with serving(FaultyServer({"/flower_photos.tgz": CONTENT})) as running:
        yield running


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalBucket]:
    """A bucket with two of JumpStart's five classes, and a third folder beside them."""
    with bucket_on_this_machine(monkeypatch) as found:
        for name in ("tf_flowers/daisy/1.jpg", "tf_flowers/roses/2.jpg", "tf_flowers/roses/3.JPG", "other/x/4.jpg"):
            found.put(f"training-datasets/{name}", name.encode(), public=True)
        yield found


def archive(server: FaultyServer, sha256: str | None = None, **counts: int) -> Archive:
    """Describe the server's archive."""
    return Archive(f"{server.address}/flower_photos.tgz", sha256, counts or COUNTS)


def laid_out(folder: Path) -> list[str]:
    """Return the files below a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_class_folders_from_the_archive(server: FaultyServer, tmp_path: Path, own_cache: Path) -> None:
    """Given the archive with its checksum -> class folders with the images alone; nothing stays in the cache."""
    flowers.write_from_server(tmp_path / "data", archive(server, hashlib.sha256(CONTENT).hexdigest()))
    assert laid_out(tmp_path / "data") == sorted(NAMES[:3])
    assert laid_out(own_cache) == []


def test_interrupted_download_is_resumed(server: FaultyServer, tmp_path: Path) -> None:
    """Given a connection that is cut in the middle -> only the missing bytes are requested again."""
    server.faults = [Cut(30_000)]
    flowers.write_from_server(tmp_path / "data", archive(server))
    assert [part for _, part in server.asked] == [None, "bytes=30000-"]
    assert laid_out(tmp_path / "data") == sorted(NAMES[:3])


def test_wrong_checksum_counts_and_content_are_said(server: FaultyServer, tmp_path: Path) -> None:
    """Given another checksum, other counts, another archive -> one sentence each, no data."""
    with pytest.raises(PlatformError, match=r"expected 0000.*solar needs PyPI only"):
        flowers.write_from_server(tmp_path / "data", archive(server, "0" * 64))
    with pytest.raises(UserError, match="it has daisy 1, roses 2; expected daisy 1, roses 3"):
        flowers.write_from_server(tmp_path / "data", archive(server, daisy=1, roses=3))
    server.files["/flower_photos.tgz"] = packed({"other/1.jpg": b"x"})
    with pytest.raises(UserError, match="it has no class folders"):
        flowers.write_from_server(tmp_path / "data", archive(server))
    server.files["/flower_photos.tgz"] = packed({"../escaped.jpg": b"x"})
    with pytest.raises(UserError, match="points outside"):
        flowers.write_from_server(tmp_path / "data", archive(server))
    assert not (tmp_path / "data").exists()
    assert not list(tmp_path.rglob("escaped.jpg"))


def test_class_folders_from_the_bucket(bucket: LocalBucket, tmp_path: Path, own_cache: Path) -> None:
    """Given JumpStart's layout, with and without credentials -> the same class folders; nothing stays in the cache."""
    for name, access in {"signed": Access(), "anonymous": Access(anonymous=True)}.items():
        flowers.write_from_bucket(tmp_path / name, Bucket(bucket.name, access), COUNTS)
        assert laid_out(tmp_path / name) == sorted(NAMES[:3])
    assert laid_out(own_cache) == []


def test_images_that_are_there_are_not_asked_for_again(bucket: LocalBucket, tmp_path: Path, own_cache: Path) -> None:
    """Given an image of an interrupted run -> kept; the others are downloaded."""
    kept = own_cache / "downloads/tf_flowers/daisy/1.jpg"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"x" * len("tf_flowers/daisy/1.jpg"))
    flowers.write_from_bucket(tmp_path / "data", Bucket(bucket.name), COUNTS)
    assert (tmp_path / "data/daisy/1.jpg").read_bytes().startswith(b"xxx")
    assert (tmp_path / "data/roses/2.jpg").read_bytes() == b"tf_flowers/roses/2.jpg"


def test_other_counts_of_the_bucket_are_said_and_other_classes_rejected(
    bucket: LocalBucket, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a copy with one image less -> a remark and the data; without a class -> rejected."""
    flowers.write_from_bucket(tmp_path / "data", Bucket(bucket.name), {"daisy": 1, "roses": 3})
    assert "other counts than TensorFlow's archive: it has daisy 1, roses 2" in capsys.readouterr().out
    assert laid_out(tmp_path / "data") == sorted(NAMES[:3])
    with pytest.raises(UserError, match=r"is not the flowers: .*expected daisy 633"):
        flowers.write_from_bucket(tmp_path / "other", Bucket(bucket.name))


def test_command_says_both_licences(bucket: LocalBucket, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given a bucket that lacks classes -> both licences first, then the sentence and exit code 1."""
    arguments = ["flowers", "--to", str(tmp_path / "data"), "--from", "jumpstart", "--bucket", bucket.name]
    assert sample_data.main(arguments) == 1
    said = capsys.readouterr()
    assert "CC-BY by TensorFlow's catalogue, Apache-2.0 by AWS's announcement" in said.out
    assert said.err.startswith("UserError: s3://")
    assert not (tmp_path / "data").exists()
