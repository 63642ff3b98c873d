"""Run a process and record the time of each log line and the memory of its process tree."""

import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PAUSE = 0.05
"""Seconds between two samples of the memory."""
MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Line:
    """A line of the log and the seconds from the process's start to it."""

    seconds: float
    text: str


@dataclass(frozen=True)
class Watched:
    """What was seen of a process that ended well."""

    began: float
    """By the clock that files have, `time.time()`."""
    seconds: float
    """From start to exit."""
    lines: tuple[Line, ...]
    memory: tuple[tuple[float, int], ...]
    """Seconds from the start, bytes."""

    def peak_megabytes(self, until: float | None = None) -> float:
        """Return the largest memory of the tree, up to a second if one is given; 0 before the first sample."""
        held = [size for second, size in self.memory if until is None or second <= until]
        return max(held, default=0) / MEGABYTE


def watch(command: Sequence[str], environment: Mapping[str, str]) -> Watched:
    """Run a command to its end; standard error is kept for the message of a failure.

    Raises:
        RuntimeError: It exits with another code than 0.
    """
    memory: list[tuple[float, int]] = []

    with tempfile.TemporaryFile("w+", errors="replace") as errors:
        began, started = time.time(), time.monotonic()
        with subprocess.Popen(
            list(command), env=dict(environment), stdout=subprocess.PIPE, stderr=errors, text=True, errors="replace"
        ) as process:
            over = threading.Event()

            def sample() -> None:
                while not over.wait(PAUSE):
                    memory.append((time.monotonic() - started, tree_bytes(process.pid)))

            sampler = threading.Thread(target=sample)
            sampler.start()
            assert process.stdout is not None
            lines = [Line(time.monotonic() - started, text.rstrip("\n")) for text in process.stdout]
            code = process.wait()
            seconds = time.monotonic() - started
            over.set()
            sampler.join()
        if code:
            errors.seek(0)
            raise RuntimeError(f"{' '.join(command)} ended with {code}:\n{errors.read()[-2000:]}")
    return Watched(began, seconds, tuple(lines), tuple(memory))


def tree_bytes(process: int) -> int:
    """Return the bytes that a process and its descendants hold in memory; 0 when it is gone.

    Their own memory is summed; of what they map from files, mostly the same libraries, the largest counts. The
    proportional set size would shrink when strangers on the machine map those libraries too.
    """
    own, mapped = 0, 0
    for identity in tree(process):
        held = _held(identity)
        own += held.get("RssAnon", 0) + held.get("RssShmem", 0)
        mapped = max(mapped, held.get("RssFile", 0))
    return own + mapped


def tree(process: int) -> list[int]:
    """Return the ids of a process and of all its descendants."""
    found, waiting = [], [process]
    while waiting:
        found.append(waiting.pop())
        for path in Path(f"/proc/{found[-1]}/task").glob("*/children"):
            try:
                waiting += map(int, path.read_text().split())
            except OSError:
                continue
    return found


def _held(process: int) -> dict[str, int]:
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return {}
    fields = (line.split() for line in status.splitlines() if line.startswith("Rss"))
    return {name.rstrip(":"): int(kilobytes) * 1024 for name, kilobytes, *_ in fields}
