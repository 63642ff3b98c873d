"""Long responses are spooled to temporary files, within a budget per process; a full disk is a clear error."""

import tempfile
import threading
from collections.abc import Iterator
from typing import IO

from image_classifier.contract.serving_variables import ANSWER_FILES
from image_classifier.serving.rejection import RejectedError

IN_MEMORY = 8 * 1024 * 1024
"""Bytes per response; longer ones are spooled to a file. Ten thousand images of 1,000 classes take 200 MB."""
BLOCK_BYTES = 256 * 1024
"""Sent per system call; line by line, ten thousand lines would need as many calls."""
_MEGABYTE = 1024 * 1024


def no_room(limit: int) -> RejectedError:
    """Return the rejection of a response that exceeds the budget of temporary files: 503."""
    message = (
        f"Long responses use all of the {limit // _MEGABYTE} MB of temporary files that {ANSWER_FILES.name} allows. "
        "Retry in 1 s, or send fewer images at once."
    )
    return RejectedError(503, "busy", message, {"Retry-After": "1"})


def no_disk(reason: object) -> RejectedError:
    """Return the rejection of a response that cannot be written to the temporary folder: 507."""
    message = (
        f"The response is too long for memory, and writing it to the temporary folder failed: {str(reason)[:200]}. "
        "Send fewer images at once, or give the container more disk space (TMPDIR)."
    )
    return RejectedError(507, "no_disk_space", message)


class ResponseFiles:
    """The budget of temporary files for all responses of a process."""

    def __init__(self, limit: int):
        self._limit = limit
        self._used = 0
        self._changed = threading.Lock()

    @property
    def used(self) -> int:
        """Bytes in use."""
        return self._used

    def acquire(self, size: int) -> None:
        """Acquire space for bytes that are about to be written.

        Raises:
            RejectedError: They exceed the budget (503).
        """
        with self._changed:
            if self._used + size > self._limit:
                raise no_room(self._limit)
            self._used += size

    def release(self, size: int) -> None:
        """Release space."""
        with self._changed:
            self._used -= size


class SpooledResponse:
    """A response that is written piece by piece; iterating over it yields blocks, and closing it deletes its file."""

    def __init__(self, files: ResponseFiles):
        self._files = files
        self._memory = bytearray()
        self._file: IO[bytes] | None = None
        self._written = 0

    def __len__(self) -> int:
        return self._written + len(self._memory)

    def write(self, piece: bytes) -> None:
        """Append a piece.

        Raises:
            RejectedError: It exceeds the budget of files (503), or writing to the disk failed (507).
        """
        self._memory += piece
        if len(self._memory) > IN_MEMORY:
            self._spool()

    def __iter__(self) -> Iterator[bytes]:
        if self._file is not None:
            self._file.seek(0)
            while block := self._file.read(BLOCK_BYTES):
                yield block
        for start in range(0, len(self._memory), BLOCK_BYTES):
            yield bytes(self._memory[start : start + BLOCK_BYTES])

    def close(self) -> None:
        """Drop the response; may be called again."""
        file, self._file = self._file, None
        self._memory = bytearray()
        if file is not None:
            file.close()
        self._files.release(self._written)
        self._written = 0

    def __del__(self) -> None:
        # After an error between writing and sending nothing else closes it.
        self.close()

    def _spool(self) -> None:
        self._files.acquire(len(self._memory))
        self._written += len(self._memory)
        try:
            if self._file is None:
                # Unbuffered: a buffer would retry a failed write when it is closed.
                self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by close()
            rest = memoryview(self._memory)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:  # disk or quota full, folder not writable, or out of descriptors
            raise no_disk(error.strerror or error) from error
        self._memory = bytearray()
