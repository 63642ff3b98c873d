"""Where this program's own lines go. A log that cannot be written must not hold up or end a server."""

import logging
import os
import select
import sys

_BLOCK_BYTES = 4096
"""What a pipe that is writable takes without waiting (PIPE_BUF, pipe(7))."""
_PATIENCE = 20
"""Milliseconds in which a reader that lags may make room."""


class LogStream(logging.Handler):
    """Writes lines to a file descriptor; those that it does not take, now or ever, are dropped."""

    def __init__(self, descriptor: int):
        super().__init__()
        self._descriptor, self._patience = descriptor, _PATIENCE
        self._ready = select.poll()
        self._ready.register(descriptor, select.POLLOUT)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        try:
            self._write(f"{self.format(record)}\n".encode(errors="backslashreplace"))
        except OSError:  # its reader is gone, its disk is full, it was closed
            return
        except Exception:
            self.handleError(record)

    def _write(self, line: bytes) -> None:
        for start in range(0, len(line), _BLOCK_BYTES):
            if not self._ready.poll(self._patience):
                # Who reads has stopped; the next lines do not wait for it again.
                self._patience = 0
                return
            os.write(self._descriptor, line[start : start + _BLOCK_BYTES])
        self._patience = _PATIENCE


def to_standard_error() -> logging.Handler:
    """Return a handler for standard error, or one that does nothing when this process was started without."""
    # The descriptor 2 of such a process may by now be a client's connection.
    return logging.NullHandler() if sys.stderr is None else LogStream(sys.stderr.fileno())
