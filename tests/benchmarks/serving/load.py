"""Load from wrk, which needs little CPU itself: a number of connections, each with one request in flight."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("post.lua")
PATIENCE = 60
"""Seconds until wrk gives an answer up."""


@dataclass(frozen=True)
class Load:
    """What wrk, or the bare engine's threads, saw."""

    seconds: float
    answers: int
    """With status 200."""
    p50: float
    p99: float
    """Milliseconds from request to answer. wrk's are corrected for coordinated omission."""
    rejected: int = 0
    """Answers with status 503."""
    failed: int = 0
    """Answers with any other status."""
    broken: int = 0
    """Connections that were rejected, reset or timed out."""
    client_cpu: float = 0.0
    """CPU seconds of the client per second: 1.0 is a whole CPU."""

    @property
    def rate(self) -> float:
        """Images answered in a second."""
        return self.answers / self.seconds

    @property
    def errors(self) -> int:
        """Everything that was not an answer with status 200."""
        return self.rejected + self.failed + self.broken


def find_wrk() -> str:
    """Return wrk's path.

    Raises:
        RuntimeError: It is not installed; the message says how.
    """
    found = shutil.which("wrk")
    if found is None:
        raise RuntimeError("wrk, which makes the load, is not on PATH. Install it: apt-get install wrk (Debian).")
    return found


def put(url: str, connections: int, seconds: float, images: Sequence[Path]) -> Load:
    """Post images to a URL over so many connections for so many seconds (whole ones, as wrk knows no others).

    Raises:
        RuntimeError: wrk is missing or fails.
    """
    command = [find_wrk(), "--threads", "1", "--connections", str(connections), "--duration", f"{round(seconds)}s"]
    command += ["--timeout", f"{PATIENCE}s", "--latency", "--script", str(SCRIPT), url, "--", *map(str, images)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        printed = process.stdout.read()
        # Not Popen.wait: only wait4 tells what this one child used.
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"wrk ended with {process.returncode}:\n{printed[-2000:]}")
    return read(printed, used.ru_utime + used.ru_stime)


def read(printed: str, cpu_seconds: float = 0.0) -> Load:
    """Read what wrk printed, of which the last line is post.lua's.

    Raises:
        ValueError: That line is missing.
    """
    line = next((line for line in reversed(printed.splitlines()) if line.startswith("{")), None)
    if line is None:
        raise ValueError(f"wrk printed no line of JSON:\n{printed[-2000:]}")
    found = json.loads(line)
    seconds = found["microseconds"] / 1e6
    return Load(
        seconds=seconds,
        answers=found["requests"] - found["rejected"] - found["failed"],
        p50=found["p50"] / 1000,
        p99=found["p99"] / 1000,
        rejected=found["rejected"],
        failed=found["failed"],
        broken=found["broken"],
        client_cpu=cpu_seconds / seconds,
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least `percent` of all do not exceed; NaN of none."""
    ordered = sorted(values)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(int(rank), 1) - 1] if ordered else float("nan")
