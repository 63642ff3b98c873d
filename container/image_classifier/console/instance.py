"""One console per home folder: its lock, its address for a second start, and its secrets."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from image_classifier.console import security

_LOCK, _ADDRESS, _SESSION = "console.lock", "address", "session"
_SECRET_LENGTH = len(security.new_secret())


def lock(home: Path) -> int | None:
    """Return the descriptor that makes this process the console of `home`; None if another one is.

    The lock lasts until this process and those forked from it have exited, however they do.

    Raises:
        OSError: The disk is full or not writable.
    """
    descriptor = os.open(home / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def announce(home: Path, address: str) -> None:
    """Write down the address with its token, readable by this user alone."""
    _write(home / _ADDRESS, address)


def announced(home: Path) -> str | None:
    """Return the address of the console that runs with this home folder, if it has written it down already."""
    return _read(home / _ADDRESS)


def retire(home: Path) -> None:
    """Forget the address: the console has ended."""
    with suppress(OSError):
        (home / _ADDRESS).unlink()


def session(home: Path) -> str:
    """Return the secret of the cookie, which is kept so that open tabs stay usable after a restart.

    Raises:
        OSError: The disk is full or not writable.
    """
    found = _read(home / _SESSION)
    if found is None or len(found) != _SECRET_LENGTH:
        found = security.new_secret()
        _write(home / _SESSION, found)
    return found


def _read(path: Path) -> str | None:
    """Return the content of a file that only this user can have written and read; None for any other."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return None
    with os.fdopen(descriptor, encoding="ascii", errors="replace") as file:
        status = os.fstat(descriptor)
        return file.read() if status.st_uid == os.getuid() and not status.st_mode & 0o077 else None


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)
    # Private from its first moment, which durable_files does not promise; what it holds can be made again.
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(text)
    partial.replace(path)
