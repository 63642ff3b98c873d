"""Download from S3: one object, all objects of a folder, or a model in either form."""

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from image_classifier import archives, durable_files, tar_stream
from image_classifier.cloud import s3
from image_classifier.cloud.s3 import Access, Location, ObjectEntry, S3Storage
from image_classifier.contract.errors import UserError
from image_classifier.model_hub.download import check_size, checked_sha256

ARCHIVES = archives.SUFFIXES
"""Suffixes of keys that denote one archive; every other key denotes a folder."""
_CONCURRENT = 8


def fetch(storage: S3Storage, location: Location, into: Path, sha256: str | None = None) -> str:
    """Download an object to `into`, which appears only when it is complete and checked; return its sha256.

    Raises:
        ExplainedError: S3 rejects the request or cannot be reached, or the object is too large or has another checksum.
    """
    check_size(str(location), storage.size(location))
    into.parent.mkdir(parents=True, exist_ok=True)
    with durable_files.replacing(into) as partial:
        storage.download(location, partial)
        return checked_sha256(str(location), partial, sha256)


def fetch_folder(
    storage: S3Storage,
    folder: Location,
    into: Path,
    most_files: int = tar_stream.MAX_MEMBERS,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Download every object of a folder to `into` and return their number.

    Files that exist already with the size that S3 states are skipped. `report` is called with the files done and their
    total after each file; may raise.

    Raises:
        UserError: The folder is empty or too large, or contains a key that points outside.
        ExplainedError: S3 rejects the request or cannot be reached.
    """
    found = list(itertools.islice(storage.list(folder), most_files + 1))
    _check(folder, found, most_files)

    def fetch_entry(entry: ObjectEntry) -> None:
        target = into / entry.name
        if not target.is_file() or target.stat().st_size != entry.size:
            target.parent.mkdir(parents=True, exist_ok=True)
            storage.download(folder.below(entry.name), target, threads=False)

    with ThreadPoolExecutor(min(_CONCURRENT, os.cpu_count() or 1) * 2) as threads:
        # Consuming the results raises the first error.
        try:
            for done, _ in enumerate(threads.map(fetch_entry, found), start=1):
                report(done, len(found))
        except BaseException:
            threads.shutdown(wait=True, cancel_futures=True)
            raise
    return len(found)


def fetch_images(uri: str, into: Path, most_files: int, report: Callable[[int, int], None]) -> int:
    """Download the folder of images at an S3 address, see `fetch_folder`.

    Raises:
        UserError: It is not an S3 address.
        ExplainedError: See `fetch_folder`.
    """
    return fetch_folder(S3Storage(Access()), s3.parse(uri), into, most_files, report)


def _check(folder: Location, found: list[ObjectEntry], most_files: int) -> None:
    outside = [entry.name for entry in found if not _is_inside(entry.name)]
    if not found:
        raise UserError(f"{folder} is empty. Check the bucket and the key; the key of a folder ends in a slash.")
    if outside:
        raise UserError(f"{folder} is rejected: its key {outside[0]!r} points outside the folder it is written to.")
    if len(found) > most_files or sum(entry.size for entry in found) > tar_stream.MAX_UNPACKED_BYTES:
        raise UserError(
            f"{folder} is rejected: it holds more than {most_files:,} files or "
            f"{tar_stream.MAX_UNPACKED_BYTES:,} bytes. Give the folder of one model or data set."
        )


def _is_inside(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and not name.startswith("/") and ".." not in parts and "\\" not in name and "//" not in name


def fetch_model(uri: str, into: Path) -> None:
    """Download the model at an S3 address into a folder: an archive as `model.tar.gz`, or the files of a folder.

    Raises:
        ExplainedError: See `fetch` and `fetch_folder`.
    """
    location = s3.parse(uri)
    storage = S3Storage(Access())
    if location.key.endswith(ARCHIVES):
        fetch(storage, location, into / "model.tar.gz")
    else:
        fetch_folder(storage, location, into)
