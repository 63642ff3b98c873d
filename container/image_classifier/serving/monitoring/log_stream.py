"""Non-blocking output streams. A log that cannot be written must neither block nor stop a server."""

import contextlib
import io
import logging
import os
import select
import stat
import sys
import threading

_BLOCK_BYTES = 4096
"""Written to a pipe atomically (PIPE_BUF, pipe(7)), so that lines of several processes do not interleave."""
_TIMEOUT_MS = 20
"""Milliseconds to wait for a slow reader."""


class LineWriter:
    """Writes to a file descriptor without blocking; lines that it does not take in time are dropped."""

    def __init__(self, descriptor: int):
        self.descriptor, self._timeout_ms = descriptor, _TIMEOUT_MS
        # Reentrant: a signal handler may log while its thread does.
        self._lock = threading.RLock()
        self._ready = select.poll()
        self._ready.register(descriptor, select.POLLOUT)

    def write(self, lines: bytes) -> None:
        """Write complete lines, each of up to 4,096 bytes in one piece; never raises, never blocks on a reader."""
        # OSError: the reader is gone, the disk is full, or the descriptor was closed.
        with self._lock, contextlib.suppress(OSError):
            for block in _blocks(lines):
                if not self._write(block):
                    return

    def _write(self, block: bytes) -> bool:
        while block:
            if not self._ready.poll(self._timeout_ms):
                # The reader has stopped; later lines do not wait for it again.
                self._timeout_ms = 0
                return False
            block = block[os.write(self.descriptor, block) :]
        self._timeout_ms = _TIMEOUT_MS
        return True


class LogStream(logging.Handler):
    """Logging handler on top of LineWriter."""

    def __init__(self, descriptor: int):
        super().__init__()
        self._writer = LineWriter(descriptor)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        try:
            line = f"{self.format(record)}\n".encode(errors="backslashreplace")
        except Exception:
            self.handleError(record)
        else:
            self._writer.write(line)


class PrintStream(io.TextIOBase):
    """Replaces sys.stdout or sys.stderr: for print(), warnings, and Python's own tracebacks."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, descriptor: int):
        self._writer = LineWriter(descriptor)
        self._rest = ""
        self._lock = threading.RLock()

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._writer.descriptor

    def write(self, text: str) -> int:
        """Write the complete lines, and keep the rest for the next call."""
        with self._lock:
            lines, end, self._rest = (self._rest + text).rpartition("\n")
        if end:
            self._writer.write(f"{lines}\n".encode(errors="backslashreplace"))
        return len(text)

    def flush(self) -> None:
        """Write the incomplete line."""
        with self._lock:
            rest, self._rest = self._rest, ""
        if rest:
            self._writer.write(rest.encode(errors="backslashreplace"))


def make_non_blocking() -> None:
    """Make standard output and error non-blocking for this process and its children, including native libraries.

    Descriptors 1 and 2 are reopened, so that other processes that share them are not affected; a write to a full pipe
    then fails (EAGAIN) instead of blocking. A socket cannot be reopened: a native library that writes to one may block.
    """
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        # The process may have been started without it; the descriptor may now be a client's connection.
        if stream is None or _descriptor_of(stream) != descriptor:
            continue
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
        _reopen(descriptor)
        setattr(sys, name, PrintStream(descriptor))


def print_line(line: str) -> None:
    """Print a line to standard error; one that cannot be written is lost."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(line, file=sys.stderr, flush=True)


def to_standard_error() -> logging.Handler:
    """Return a handler for standard error, or one that does nothing if the process was started without it."""
    # Descriptor 2 of such a process may now be a client's connection.
    return logging.NullHandler() if sys.stderr is None else LogStream(sys.stderr.fileno())


def _descriptor_of(stream: object) -> int | None:
    try:
        return stream.fileno()  # type: ignore[attr-defined, no-any-return]
    except (AttributeError, OSError, ValueError):  # a replacement, as in tests
        return None


def _reopen(descriptor: int) -> None:
    try:
        mode = os.fstat(descriptor).st_mode
        # A regular file would be overwritten from its start, since its position is lost by reopening.
        if not (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)):
            return
        opened = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:  # a pipe of another user, or no /proc: Python's own output is still non-blocking
        return
    os.dup2(opened, descriptor)
    os.close(opened)


def _blocks(lines: bytes) -> list[bytes]:
    """Split at line ends where possible, so that each block is written atomically."""
    blocks, start = [], 0
    while len(lines) - start > _BLOCK_BYTES:
        end = lines.rfind(b"\n", start, start + _BLOCK_BYTES) + 1 or start + _BLOCK_BYTES
        blocks.append(lines[start:end])
        start = end
    blocks.append(lines[start:])
    return blocks
