"""The folder of a measurement: its path is recorded before it exists, so that a killed measurement leaves no folder."""

import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from image_classifier import durable_files

SUFFIX = ".scratch"
"""Of the file that holds the path, beside the measurement's request."""
_PREFIX = "estimate-"


@contextmanager
def folder(record: Path) -> Iterator[Path]:
    """Create a folder among the temporary ones and remove it at the end; until then `record` holds its path.

    Raises:
        OSError: The disk is full or not writable.
    """
    created = Path(tempfile.gettempdir()) / f"{_PREFIX}{secrets.token_hex(8)}"
    durable_files.write_bytes(record, os.fsencode(created))
    try:
        created.mkdir(mode=0o700)
        yield created
    finally:
        remove(record)


def remove(record: Path) -> None:
    """Remove the folder that a record names, and the record, if it exists."""
    try:
        path = Path(os.fsdecode(record.read_bytes()))
    except OSError:
        return
    if path.name.startswith(_PREFIX) and _is_own_folder(path):
        shutil.rmtree(path, ignore_errors=True)
    # What could not be removed is tried again at the console's next start.
    if not _is_own_folder(path):
        record.unlink(missing_ok=True)


def _is_own_folder(path: Path) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
