"""Files of S3: one object with resumption, or all objects of a folder."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from image_classifier import archives, tar_stream
from image_classifier.cloud import s3
from image_classifier.cloud.s3 import Access, Listed, Location, Storage
from image_classifier.contract.errors import UserError
from image_classifier.model_hub import download
from image_classifier.model_hub.download import Answer

ARCHIVES = archives.SUFFIXES
"""How keys end that are one archive; every other key is a folder's."""
_AT_ONCE = 8


@dataclass(frozen=True)
class S3Object:
    """One object; see `download.Source`."""

    storage: Storage
    location: Location

    @property
    def address(self) -> str:
        """Its URI, as it is shown."""
        return str(self.location)

    @property
    def identity(self) -> str:
        """Its whole URI."""
        return self.location.uri

    def open(self, start: int, version: str | None) -> Answer:
        """Ask for the object from byte `start` on, if it still has this ETag."""
        try:
            body = self.storage.open(self.location, start, version)
        except s3.TransientError as error:
            raise download.TransientError(str(error)) from error
        except s3.ChangedError as error:
            raise download.ChangedError from error
        return Answer(_Stream(body), body.start, body.total, body.etag)


@dataclass(frozen=True)
class _Stream:
    body: s3.Body

    def read(self, count: int) -> bytes:
        try:
            return bytes(self.body.stream.read(count))
        except s3.TransientError as error:
            raise download.TransientError(str(error)) from error

    def close(self) -> None:
        self.body.stream.close()


def fetch_folder(storage: Storage, folder: Location, into: Path) -> int:
    """Download every object of a folder to `into` and return how many there are.

    A file that is there already with the size that S3 says is not asked for again.

    Raises:
        UserError: The folder is empty, too large, or holds a key that points outside.
        ExplainedError: S3 rejects or does not answer.
    """
    found = list(storage.list(folder))
    _reject(folder, found)

    def fetch(item: Listed) -> None:
        target = into / item.name
        if not target.is_file() or target.stat().st_size != item.size:
            download.fetch(S3Object(storage, folder.below(item.name)), target)

    with ThreadPoolExecutor(min(_AT_ONCE, os.cpu_count() or 1) * 2) as threads:
        # The list makes the first error be raised.
        list(threads.map(fetch, found))
    return len(found)


def _reject(folder: Location, found: list[Listed]) -> None:
    outside = [item.name for item in found if not _is_inside(item.name)]
    if not found:
        raise UserError(f"{folder} holds nothing. Look at the bucket and the key; the key of a folder ends in a slash.")
    if outside:
        raise UserError(
            f"{folder} is rejected: its key {outside[0]!r} points outside the folder that it is written to."
        )
    if len(found) > tar_stream.MAX_MEMBERS or sum(item.size for item in found) > tar_stream.MAX_UNPACKED_BYTES:
        raise UserError(
            f"{folder} is rejected: it holds more than {tar_stream.MAX_MEMBERS:,} files or "
            f"{tar_stream.MAX_UNPACKED_BYTES:,} bytes. Give the folder of one model or data set."
        )


def _is_inside(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and not name.startswith("/") and ".." not in parts and "\\" not in name and "//" not in name


def fetch_model(uri: str, into: Path) -> None:
    """Download what lies at an S3 address into a folder: one archive, as `model.tar.gz`, or a folder's files.

    Raises:
        ExplainedError: See `download.fetch` and `fetch_folder`.
    """
    location = s3.parse(uri)
    storage = Storage(Access())
    if location.key.endswith(ARCHIVES):
        download.fetch(S3Object(storage, location), into / "model.tar.gz")
    else:
        fetch_folder(storage, location, into)
