"""Read files that others may replace at any time: regular files alone, below one folder, with a limit of bytes."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from image_classifier.contract.errors import UserError
from image_classifier.contract.names import on_one_line

MOST_BYTES = 256 * 2**20
"""Of an image file; larger ones are not read."""
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class UnusableFileError(UserError):
    """A file that cannot be shown; the text is one sentence."""


@dataclass(frozen=True)
class Stamp:
    """What changes with a file's content."""

    size: int
    """Bytes."""
    modified: int
    """Nanoseconds since 1970."""


@dataclass(frozen=True)
class Content:
    """A file's bytes and its stamp when they were read."""

    data: bytes
    stamp: Stamp


def stamp(path: Path, inside: str) -> Stamp:
    """Return the stamp of a file below the real folder `inside`; nothing is read.

    Raises:
        UnusableFileError: See `read`.
    """
    descriptor = _open(path, inside)
    try:
        return _stamp(descriptor, path)
    finally:
        os.close(descriptor)


def read(path: Path, inside: str, limit: int = MOST_BYTES) -> Content:
    """Return a file below the real folder `inside`; links are followed as long as they stay in it.

    A pipe or a device, which could block or never end, is not read.

    Raises:
        UnusableFileError: It does not exist (any more), leads out of the folder, is not a regular file, has more than
            `limit` bytes, or cannot be read.
    """
    descriptor = _open(path, inside)
    try:
        found = _stamp(descriptor, path)
        if found.size > limit:
            raise UnusableFileError(
                f"{_shown(path)} has {found.size:,} bytes; at most {limit:,} are read to show an image."
            )
        return Content(_whole(descriptor, limit), found)
    except OSError as error:
        raise _unreadable(path, error) from error
    finally:
        os.close(descriptor)


def head(path: Path, inside: str, size: int) -> bytes:
    """Return the first `size` bytes of a file, see `read`."""
    descriptor = _open(path, inside)
    try:
        _stamp(descriptor, path)
        return os.read(descriptor, size)
    except OSError as error:
        raise _unreadable(path, error) from error
    finally:
        os.close(descriptor)


def _whole(descriptor: int, limit: int) -> bytes:
    parts, total = [], 0
    while total <= limit and (part := os.read(descriptor, min(1 << 20, limit + 1 - total))):
        parts.append(part)
        total += len(part)
    return b"".join(parts)


def _open(path: Path, inside: str) -> int:
    try:
        # The opened file, not the path, is what is checked: a path can change in between.
        descriptor = os.open(path, _FLAGS)
    except OSError as error:
        raise _unreadable(path, error) from error
    # The kernel's path of an open file has no links.
    real = os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115 - as text
    if real.startswith(f"{inside.rstrip('/')}/"):
        return descriptor
    os.close(descriptor)
    raise UnusableFileError(f"{_shown(path)} is a link that leads out of {_shown(Path(inside))}, or was removed.")


def _stamp(descriptor: int, path: Path) -> Stamp:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise UnusableFileError(f"{_shown(path)} is not a regular file.")
    return Stamp(found.st_size, found.st_mtime_ns)


def _unreadable(path: Path, error: OSError) -> UnusableFileError:
    if isinstance(error, FileNotFoundError):
        return UnusableFileError(f"{_shown(path)} does not exist any more.")
    return UnusableFileError(f"{_shown(path)} cannot be read: {error.strerror}.")


def _shown(path: Path) -> str:
    return on_one_line(path.name or str(path))
