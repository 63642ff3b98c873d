"""Read files from unreliable storage: failures are retried, and never mistaken for corrupt images."""

import errno
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from image_classifier.contract.errors import PlatformError
from image_classifier.contract.job_log import log
from image_classifier.contract.names import on_one_line

T = TypeVar("T")
PAUSES = (0.1, 0.3, 1.0, 3.0, 6.0)
"""Seconds before each retry: about ten in total, as long as a network file system takes to fail over."""
_PERMANENT = frozenset(
    {errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL}
)
"""`errno` values that a retry cannot change."""


@dataclass
class Storage:
    """Reads whole files for many threads. After the first failure in spite of retries, nothing is retried."""

    pauses: tuple[float, ...] = PAUSES
    retried: int = 0
    """Attempts that failed and were repeated."""
    _failed: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, path: Path, size: int = -1) -> bytes:
        """Return a file's bytes, the first `size` of them when it is given.

        Raises:
            PlatformError: It cannot be read; the message counts all such files and names the first.
        """

        def attempt() -> bytes:
            with path.open("rb", buffering=0) as file:
                return file.read(size)

        return self.retry(attempt, str(path))

    def read_if_there(self, path: Path) -> bytes:
        """Return a file's bytes; empty when it cannot be read."""
        try:
            return self.read(path)
        except PlatformError:
            return b""

    def size(self, path: Path) -> int:
        """Return a file's size in bytes; raises as `read` does."""
        return self.retry(lambda: path.stat().st_size, str(path))

    def retry(self, attempt: Callable[[], T], path: str) -> T:
        """Return the result of `attempt`, retried after transient failures; `path` is the file that it reads.

        Raises:
            PlatformError: It keeps failing with an `OSError`, which is the cause.
        """
        for number, pause in enumerate((*self.pauses, 0.0)):
            try:
                return attempt()
            except OSError as error:
                reason = error.strerror or type(error).__name__
                if number == len(self.pauses) or error.errno in _PERMANENT or self._failed:
                    self._give_up(path, reason, error)
                self._record_retry(path, reason)
                time.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _give_up(self, path: str, reason: str, error: OSError) -> None:
        with self._lock:
            self._failed[path] = reason
        raise self.error() from error

    def _record_retry(self, path: str, reason: str) -> None:
        with self._lock:
            self.retried += 1
            first = self.retried == 1
        if first:
            log(f"WARNING: Reading {on_one_line(path)} failed ({reason}); failed reads are retried.")

    @property
    def failed(self) -> bool:
        """Whether a file could not be read in spite of retries."""
        return bool(self._failed)

    def error(self) -> PlatformError:
        """Return the error for the failures so far."""
        path, reason = next(iter(self._failed.items()))
        return PlatformError(
            f"The storage failed for {len(self._failed)} file(s), first {on_one_line(path)}: {reason} (uid "
            f"{os.geteuid()}, up to {len(self.pauses) + 1} attempts). They count as unread, not as corrupt images. "
            "Check the volume or the file system, and run the job again."
        )
