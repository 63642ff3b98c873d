"""Long answers wait in files of the temporary folder, bounded for a process as a whole; a full disk is told."""

import tempfile
import threading
from collections.abc import Iterator
from typing import IO

from image_classifier.serving.rejection import RejectedError

IN_MEMORY = 8 * 1024 * 1024
"""Bytes of an answer; what is longer is written into a file. Ten thousand images of 1,000 classes are 200 MB."""
SENT_AT_ONCE = 256 * 1024
"""Bytes; line by line, ten thousand lines would be as many calls of the system."""
_MEGABYTE = 1024 * 1024


def no_room(limit: int) -> RejectedError:
    """Return the rejection of an answer that does not fit beside the others that are on their way: 503."""
    message = (
        f"Long answers take all of the {limit // _MEGABYTE} MB of temporary files that SERVE_ANSWER_FILES_MB allows. "
        "Retry in 1 s, or send fewer images at once."
    )
    return RejectedError(503, "busy", message, {"Retry-After": "1"})


def no_disk(reason: object) -> RejectedError:
    """Return the rejection of an answer that cannot be written into the temporary folder: 507."""
    message = (
        f"The answer is too long for memory, and the temporary folder does not take it: {str(reason)[:200]}. "
        "Send fewer images at once, or give the container more disk space (TMPDIR)."
    )
    return RejectedError(507, "no_disk_space", message)


class AnswerFiles:
    """The bytes that all answers of a process may have in files."""

    def __init__(self, limit: int):
        self._limit = limit
        self._used = 0
        self._changed = threading.Lock()

    @property
    def used(self) -> int:
        """Bytes that answers have in files now."""
        return self._used

    def take(self, size: int) -> None:
        """Count bytes that are about to be written.

        Raises:
            RejectedError: They do not fit (503).
        """
        with self._changed:
            if self._used + size > self._limit:
                raise no_room(self._limit)
            self._used += size

    def give_back(self, size: int) -> None:
        """Count bytes no more."""
        with self._changed:
            self._used -= size


class LongAnswer:
    """An answer as it is made, piece by piece; iterating over it gives blocks of it, and closing it frees its file."""

    def __init__(self, files: AnswerFiles):
        self._files = files
        self._memory = bytearray()
        self._file: IO[bytes] | None = None
        self._written = 0

    def __len__(self) -> int:
        return self._written + len(self._memory)

    def write(self, piece: bytes) -> None:
        """Add a piece.

        Raises:
            RejectedError: There is no space for it: beside other answers (503), or on the disk (507).
        """
        self._memory += piece
        if len(self._memory) > IN_MEMORY:
            self._write_out()

    def __iter__(self) -> Iterator[bytes]:
        if self._file is not None:
            self._file.seek(0)
            while block := self._file.read(SENT_AT_ONCE):
                yield block
        for start in range(0, len(self._memory), SENT_AT_ONCE):
            yield bytes(self._memory[start : start + SENT_AT_ONCE])

    def close(self) -> None:
        """Drop the answer; may be called again."""
        file, self._file = self._file, None
        self._memory = bytearray()
        if file is not None:
            file.close()
        self._files.give_back(self._written)
        self._written = 0

    def __del__(self) -> None:
        # After an error between making and sending the answer nothing else closes it.
        self.close()

    def _write_out(self) -> None:
        self._files.take(len(self._memory))
        self._written += len(self._memory)
        try:
            if self._file is None:
                # Without a buffer, which would try to write once more what failed, when it is closed.
                self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by close()
            rest = memoryview(self._memory)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:  # a full disk or quota, no folder that can be written, no descriptor left
            raise no_disk(error.strerror or error) from error
        self._memory = bytearray()
