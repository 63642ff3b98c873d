"""Run a command on a pseudo-terminal, as a user does: a window size, keys, and what appears on the screen."""

import contextlib
import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

CTRL_C = b"\x03"
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-_]")
"""Escape sequences that colour text and move the cursor (ECMA-48, 5.4)."""


class PseudoTerminal:
    """A command that runs on a terminal of its own."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process, self._master = process, master
        self._shown = b""

    @property
    def text(self) -> str:
        """Everything that was printed so far, without colours and cursor movements."""
        return _CONTROL.sub("", self._shown.decode(errors="replace")).replace("\r\n", "\n")

    @property
    def raw(self) -> str:
        """Everything that was printed so far, escape sequences included."""
        return self._shown.decode(errors="replace")

    def press(self, keys: bytes) -> None:
        """Type something; `CTRL_C` makes the terminal send SIGINT to its foreground group."""
        os.write(self._master, keys)

    def wait_for(self, words: str, seconds: float = 90) -> None:
        """Read until the words have appeared; AssertionError when they do not."""
        deadline = time.monotonic() + seconds
        while words not in self.text:
            assert time.monotonic() < deadline, f"{words!r} did not appear:\n{self.text}"
            if not self._read(0.2):
                assert words in self.text, f"The command ended without {words!r}:\n{self.text}"

    def exit_code(self, seconds: float = 120) -> int:
        """Read to the end and return the exit code; AssertionError when the command takes longer."""
        deadline = time.monotonic() + seconds
        while self._read(0.2):
            assert time.monotonic() < deadline, f"The command does not end:\n{self.text}"
        return self.process.wait(max(deadline - time.monotonic(), 1))

    def close(self) -> None:
        """Close the terminal, as by closing its window: SIGHUP goes to the session."""
        os.close(self._master)
        self._master = -1

    def _read(self, seconds: float) -> bool:
        """Read what there is; False when the command has closed its side."""
        if not select.select([self._master], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self._master, 65536)
        except OSError:  # EIO: no process has the other side open any more
            return False
        self._shown += data
        return bool(data)


@contextmanager
def running(
    command: Sequence[object],
    columns: int = 80,
    lines: int = 24,
    cwd: Path | None = None,
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[PseudoTerminal]:
    """Start a command on a terminal of that size; what still runs when the block is left is killed."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", *map(str, command)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=cwd,
        env=_environment(variables),
    )
    os.close(slave)
    terminal = PseudoTerminal(process, master)
    try:
        yield terminal
    finally:
        process.kill()
        process.wait()
        if terminal._master >= 0:
            with contextlib.suppress(OSError):
                os.close(terminal._master)


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    # What a test runner sets for its own output must not reach the command.
    unwanted = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "CI")
    return {**{name: value for name, value in os.environ.items() if name not in unwanted}, "TERM": "xterm", **variables}
