"""Where everything that a server prints goes. A log that cannot be written must not hold up or end a server."""

import contextlib
import io
import logging
import os
import select
import stat
import sys
import threading

_BLOCK_BYTES = 4096
"""What a pipe takes whole or not at all (PIPE_BUF, pipe(7)), so that lines of several processes do not mix."""
_PATIENCE = 20
"""Milliseconds in which a reader that lags may make room."""


class Lines:
    """Writes to a file descriptor what it takes at once; the rest, now or ever, is dropped."""

    def __init__(self, descriptor: int):
        self.descriptor, self._patience = descriptor, _PATIENCE
        # A signal's handler may log while its thread does.
        self._one_at_a_time = threading.RLock()
        self._ready = select.poll()
        self._ready.register(descriptor, select.POLLOUT)

    def write(self, lines: bytes) -> None:
        """Write whole lines, each of up to 4,096 bytes in one piece; never raises, never waits for a reader."""
        # Its reader is gone, its disk is full, it was closed.
        with self._one_at_a_time, contextlib.suppress(OSError):
            for block in _blocks(lines):
                if not self._write(block):
                    return

    def _write(self, block: bytes) -> bool:
        while block:
            if not self._ready.poll(self._patience):
                # The reader has stopped; the next lines do not wait for it again.
                self._patience = 0
                return False
            block = block[os.write(self.descriptor, block) :]
        self._patience = _PATIENCE
        return True


class LogStream(logging.Handler):
    """Writes each record of a log."""

    def __init__(self, descriptor: int):
        super().__init__()
        self._lines = Lines(descriptor)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        try:
            line = f"{self.format(record)}\n".encode(errors="backslashreplace")
        except Exception:
            self.handleError(record)
        else:
            self._lines.write(line)


class PrintStream(io.TextIOBase):
    """Takes the place of sys.stdout or sys.stderr: for what is printed, for warnings, and for Python's own traces."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, descriptor: int):
        self._lines = Lines(descriptor)
        self._part = ""
        self._one_at_a_time = threading.RLock()

    def writable(self) -> bool:
        """Say yes."""
        return True

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._lines.descriptor

    def write(self, text: str) -> int:
        """Write the lines that are whole, and keep the rest for the next call."""
        with self._one_at_a_time:
            lines, end, self._part = (self._part + text).rpartition("\n")
        if end:
            self._lines.write(f"{lines}\n".encode(errors="backslashreplace"))
        return len(text)

    def flush(self) -> None:
        """Write what is kept."""
        with self._one_at_a_time:
            part, self._part = self._part, ""
        if part:
            self._lines.write(part.encode(errors="backslashreplace"))


def never_wait() -> None:
    """Let nothing that this process and its children print wait for a reader: Python, and libraries below it.

    The descriptors 1 and 2 get open files of their own, so that those of other processes stay as they are; a write to
    a full pipe then fails (EAGAIN) instead of waiting. A socket cannot be opened again: what a library writes into one
    may still wait.
    """
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        # A process may have been started without; its descriptor may by now be a client's connection.
        if stream is None or _number(stream) != descriptor:
            continue
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
        _open_again(descriptor)
        setattr(sys, name, PrintStream(descriptor))


def to_standard_error() -> logging.Handler:
    """Return a handler for standard error, or one that does nothing when this process was started without."""
    # The descriptor 2 of such a process may by now be a client's connection.
    return logging.NullHandler() if sys.stderr is None else LogStream(sys.stderr.fileno())


def _number(stream: object) -> int | None:
    try:
        return stream.fileno()  # type: ignore[attr-defined, no-any-return]
    except (AttributeError, OSError, ValueError):  # what a test has put there
        return None


def _open_again(descriptor: int) -> None:
    try:
        mode = os.fstat(descriptor).st_mode
        # A file takes what it is given at its end, wherever that is: opened again, it would be written from its start.
        if not (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)):
            return
        opened = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:  # a pipe of another user, or no /proc: what Python prints is looked after all the same
        return
    os.dup2(opened, descriptor)
    os.close(opened)


def _blocks(lines: bytes) -> list[bytes]:
    """Cut at the ends of lines where there are some, so that a block is written whole."""
    blocks, start = [], 0
    while len(lines) - start > _BLOCK_BYTES:
        end = lines.rfind(b"\n", start, start + _BLOCK_BYTES) + 1 or start + _BLOCK_BYTES
        blocks.append(lines[start:end])
        start = end
    blocks.append(lines[start:])
    return blocks
