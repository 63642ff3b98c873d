"""The cost of one input to a server: CPU seconds and peak memory of its processes, by the kernel's accounting."""

import contextlib
import ctypes
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

BUSY_SECONDS = 30
_QUIET_SECONDS, _QUIET_SHARE = 0.004, 0.25
"""A server counts as quiet when in so long a pause it computes for less than that share of it, and wants no CPU."""
_RESET_PEAK = "5"
"""For /proc/PID/clear_refs: set VmHWM back to VmRSS (proc_pid_clear_refs(5))."""
_libc = ctypes.CDLL(None, use_errno=True)


class StillBusyError(Exception):
    """The server computes long after an input, so the cost of the next ones cannot be attributed."""


@dataclass(frozen=True)
class Cost:
    """What an input took, of all processes of the server together."""

    cpu_seconds: float
    megabytes: float
    """The peak of resident memory above what was resident just before, in MB of 2^20 bytes."""


class Meter:
    """Measures one input at a time; valid as long as nothing else is sent to the server meanwhile."""

    def __init__(self, processes: Sequence[int]) -> None:
        """Read the clocks of these processes, which must live as long as the meter is used.

        Raises:
            OSError: A process does not exist or belongs to another user.
        """
        self._processes = tuple(processes)
        self._clocks = tuple(map(_clock, processes))

    def start(self) -> None:
        """Begin with an input."""
        for process in self._processes:
            Path(f"/proc/{process}/clear_refs").write_text(_RESET_PEAK)
        self._resident = [_kilobytes(process, "VmRSS:") for process in self._processes]
        self._cpu = self._cpu_seconds()

    def stop(self, settle: bool) -> Cost:
        """Return what has been used since `start`; with `settle` after the server has finished what is left of it."""
        if settle:
            self.settle()
        cpu = self._cpu_seconds() - self._cpu
        peaks = [_kilobytes(process, "VmHWM:") for process in self._processes]
        grown = (max(0, peak - before) for peak, before in zip(peaks, self._resident, strict=True))
        return Cost(cpu, sum(grown) / 1024)

    def settle(self) -> None:
        """Wait until the processes compute nothing: a client that has left does not see the end of its request.

        Raises:
            StillBusyError: They still compute after `BUSY_SECONDS`.
        """
        end = time.monotonic() + BUSY_SECONDS
        while not self._quiet():
            if time.monotonic() > end:
                raise StillBusyError(f"the server still computes {BUSY_SECONDS} s later")

    def _quiet(self) -> bool:
        before = self._cpu_seconds()
        time.sleep(_QUIET_SECONDS)
        used = self._cpu_seconds() - before
        return used < _QUIET_SHARE * _QUIET_SECONDS and not any(map(_is_runnable, self._processes))

    def _cpu_seconds(self) -> float:
        return sum(map(time.clock_gettime, self._clocks))


def _is_runnable(process: int) -> bool:
    """Say whether a thread of a process computes or would, had it a CPU: state R of proc_pid_stat(5)."""
    for status in Path(f"/proc/{process}/task").glob("*/stat"):
        with contextlib.suppress(OSError):  # a thread that has ended since
            if status.read_text().rpartition(")")[2].split()[0] == "R":
                return True
    return False


def _clock(process: int) -> int:
    """Return the clock of a process's CPU time, all threads, in nanoseconds: clock_getcpuclockid(3)."""
    found = ctypes.c_int()
    if error := _libc.clock_getcpuclockid(process, ctypes.byref(found)):
        raise OSError(error, f"{os.strerror(error)}: the CPU clock of process {process}")
    return found.value


def _kilobytes(process: int, name: str) -> int:
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    raise ProcessLookupError(f"process {process} has exited")
