"""Uploads by content: boto3 against moto's server on loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from image_classifier.cloud import uploads
from image_classifier.cloud.s3 import Access, Location, S3Storage
from image_classifier.cloud.uploads import Upload
from image_classifier.contract.errors import UserError
from tests.support.buckets import LocalBucket, bucket_on_this_machine

PROJECT = Location("bucket-of-the-test", "image-classifier")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalBucket]:
    """An empty bucket."""
    with bucket_on_this_machine(monkeypatch) as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes with two files each, and files that are not uploaded."""
    made = tmp_path / "photos"
    for name in ("cat/1.jpg", "cat/2.jpg", "dog/1.jpg", "dog/2.jpg", ".git/config", "cat/.DS_Store"):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(name)
    return made


def upload(folder: Path) -> Upload:
    """Upload a folder as a command does."""
    manifest = uploads.manifest_of(folder)
    return uploads.upload_folder(S3Storage(Access()), folder, manifest, PROJECT, lambda done, total: None)


def test_first_upload_transfers_everything_and_the_second_nothing(bucket: LocalBucket, folder: Path) -> None:
    """Given a folder -> its files lie below the hash of its content, and the same content is not transferred again."""
    first = upload(folder)
    assert (first.transferred, first.copied, first.unchanged) == (4, 0, 0)
    assert bucket.read(f"{first.location.key}/cat/1.jpg") == b"cat/1.jpg"
    second = upload(folder)
    assert second == Upload(first.location, 0, 0, 4)
    assert [key for key in bucket.keys() if "/." in key] == []  # noqa: SIM118


def test_only_what_changed_is_transferred(bucket: LocalBucket, folder: Path) -> None:
    """Given a changed, a moved and a new file -> two transfers, copies inside S3, the earlier upload unchanged."""
    first = upload(folder)
    (folder / "cat/1.jpg").write_text("changed")
    (folder / "dog/2.jpg").rename(folder / "cat/3.jpg")
    (folder / "dog/3.jpg").write_text("new")
    second = upload(folder)
    assert second.location != first.location
    assert (second.transferred, second.copied) == (2, 3)
    assert bucket.read(f"{second.location.key}/cat/3.jpg") == b"dog/2.jpg"
    assert bucket.read(f"{first.location.key}/cat/1.jpg") == b"cat/1.jpg"


def test_interrupted_upload_transfers_the_rest(bucket: LocalBucket, folder: Path) -> None:
    """Given objects of an upload that did not finish -> only the missing ones are transferred."""
    location = uploads.location_of(uploads.manifest_of(folder), PROJECT)
    bucket.put(f"{location.key}/cat/1.jpg", b"cat/1.jpg")
    assert upload(folder) == Upload(location, 3, 0, 1)


def test_folder_that_changes_meanwhile_is_rejected(bucket: LocalBucket, folder: Path) -> None:
    """Given a file that is written during the upload -> an error, and the upload does not count as complete."""
    manifest = uploads.manifest_of(folder)

    def change(done: int, total: int) -> None:
        (folder / "cat/1.jpg").write_text("other text")

    with pytest.raises(UserError, match="changed while it was uploaded"):
        uploads.upload_folder(S3Storage(Access()), folder, manifest, PROJECT, change)
    assert [key for key in bucket.keys() if "manifests" in key] == []  # noqa: SIM118


def test_file_is_uploaded_once(bucket: LocalBucket, tmp_path: Path) -> None:
    """Given a model -> it lies below the hash of its content, and is transferred once."""
    (tmp_path / "model.tar.gz").write_bytes(b"model")
    storage = S3Storage(Access())
    first = uploads.upload_file(storage, tmp_path / "model.tar.gz", PROJECT)
    assert (first.transferred, uploads.upload_file(storage, tmp_path / "model.tar.gz", PROJECT).transferred) == (1, 0)
    assert bucket.read(first.location.key) == b"model"


def test_folder_without_files_is_rejected(tmp_path: Path) -> None:
    """Given an empty folder -> an error that names it."""
    with pytest.raises(UserError, match="holds no file"):
        uploads.manifest_of(tmp_path)
