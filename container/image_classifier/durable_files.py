"""Atomic and durable writes: temporary name, fsync, rename, and checksums. Every such write goes through here.

A reader sees the old file or the complete new one, never a part, also after a crash. A write that fails leaves the
target as it was, and its `OSError` names the file.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

PARTIAL = ".partial"
"""Suffix of a file that `writing` is writing."""


def write_json(path: Path, value: Any) -> None:
    r"""Write JSON in UTF-8; a lone surrogate, which UTF-8 cannot encode, stays a JSON escape: `\ud83c`.

    Raises:
        OSError: The disk is full or not writable.
        ValueError: `value` holds NaN or infinity.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_bytes(path, text.encode(errors="backslashreplace"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file by way of `<path>.partial`; a link under that name is replaced, not followed.

    Raises:
        OSError: The disk is full or not writable.
    """
    with writing(path) as file:
        file.write(content)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content in hexadecimal digits.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """Yield `<path>.partial` for content that need not be in memory; it replaces `path` when the block ends.

    A link under that name is replaced, not followed.

    Raises:
        OSError: The disk is full or not writable.
    """
    partial = path.with_name(path.name + PARTIAL)
    try:
        partial.unlink(missing_ok=True)
        with new_file(partial) as file:
            yield file
        partial.replace(path)
    except OSError as error:
        # The user knows the target, not the temporary file.
        error.filename = str(path)
        raise
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Create a file for writing and fsync it at the end; the caller renames it or the folder it lies in.

    Raises:
        OSError: The file exists, or the disk is full or not writable.
    """
    try:
        with path.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        # The error of a failed write does not name the file.
        error.filename = error.filename or str(path)
        raise


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a path to write the new content of `target` to; it replaces `target` when the block ends without an error.

    The path lies in a temporary folder beside `target`, so that concurrent writers do not disturb each other.

    Raises:
        OSError: The disk is full or not writable.
    """
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".writing-") as scratch:
        partial = Path(scratch) / target.name
        yield partial
        _sync(partial)
        partial.replace(target)


def rename_folder(partial: Path, target: Path) -> None:
    """Rename a folder whose files were synced and make the new name durable; `target` must not exist."""
    partial.rename(target)
    sync_names(target.parent)


def sync_tree(folder: Path) -> None:
    """Flush every file below a folder to the disk, for content that a library wrote."""
    for path in folder.rglob("*"):
        if path.is_file():
            _sync(path)


def sync_names(folder: Path) -> None:
    """Flush a folder's entries to the disk: the names of the files in it."""
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
