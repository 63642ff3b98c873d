"""When the job ends before its last epoch: a signal asks for it, or its own time limit.

The platform sends SIGTERM 120 seconds before it kills the job. In a terminal Ctrl-C sends SIGINT, and closing the
terminal SIGHUP: both stop the job in the same order, so that the best model so far is saved.
"""

import contextlib
import os
import signal
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from image_classifier.training.distributed.cluster import Cluster

SIGTERM = "SIGTERM"
REASONS = {
    signal.SIGTERM: SIGTERM,
    signal.SIGINT: "SIGINT, as from Ctrl-C",
    signal.SIGHUP: "SIGHUP, as from a terminal that was closed",
}
"""For the log, by signal."""
CTRL_C_ANSWER = "Stop requested (SIGINT): saving the best model so far. Press Ctrl-C again to stop without saving.\n"
ABANDONED = "Stopped by a second SIGINT, without saving.\n"
INTERRUPTED = 128 + signal.SIGINT
"""What a shell calls the exit code of a process that SIGINT ended."""
ANOTHER_HOST = "another host was stopped"
MAX_RUNTIME = "max_runtime"
"""With what the reason begins when the time limit is the reason."""
MARGIN_SECONDS = 10.0
"""Kept free before the time limit for what nobody measured: the last checkpoint, the reports, the process's end."""
SLOWER = 1.5
"""How many times longer than measured the export may take."""
_STEPS = 20
"""Of so many steps the longest counts."""


class JobStopped(Exception):  # noqa: N818 - it is no error
    """The job was told to stop before there was a model worth keeping; the text, if any, says how far it came."""


class StopSignal:
    """Tells the job's phases to end, since it was told to, or since its time is up.

    `limit_seconds` after `started`, a time of `time.monotonic`, the job has to have ended; 0 is no limit. Without
    arguments it never ends by itself.
    """

    def __init__(self, limit_seconds: float = 0.0, started: float | None = None) -> None:
        self._reasons: list[str] = []
        self._steps: deque[float] = deque(maxlen=_STEPS)
        self._export = 0.0
        self._waiting = ""
        self._interrupted = False
        self.set_time_limit(limit_seconds, started)

    @property
    def reason(self) -> str:
        """Why, for the log; empty while nothing told to stop."""
        return self._reasons[0] if self._reasons else ""

    def set_time_limit(self, seconds: float, started: float | None = None) -> None:
        """Set the time limit, counted from `started`, by default from the start of this process; 0 is none."""
        self._seconds = seconds
        self._started = process_start() if started is None else started

    def reserve_export_time(self, seconds: float) -> None:
        """Take note of how long the export takes; 0 once there is none any more to wait for."""
        self._export = seconds

    def is_set(self) -> bool:
        """Say whether training shall end, so that there is time to write the model."""
        if not self._reasons and self._left() < SLOWER * self._export + MARGIN_SECONDS:
            self.set(self._limit_reason())
        return bool(self._reasons)

    def set(self, reason: str = SIGTERM) -> None:
        """Tell the job to end; the first reason counts. It may interrupt any other method, as a signal does."""
        # One append: nothing to lock, nothing that is half done when the next signal comes.
        self._reasons.append(reason)

    def set_by_another_host(self) -> None:
        """End with the hosts of the job of which one was told to; what this one was told itself stays the reason."""
        if not self._reasons:
            self.set(ANOTHER_HOST)

    @contextmanager
    def interruptible(self, waiting: str) -> Iterator[None]:
        """Let SIGTERM end the block at once, which only waits and has nothing to keep; `waiting` says for what.

        Raises:
            JobStopped: It came, in the block or before.
        """
        self._waiting = waiting
        try:
            raise_if_set(self, waiting)
            yield
        finally:
            self._waiting = ""

    def handle_signal(self, number: int, frame: object) -> None:
        """Take note of a signal, in the main thread, between any two of Python's operations.

        The second SIGINT ends the process: the user does not want to wait until the model is saved.

        Raises:
            JobStopped: The job only waits, see `interrupts`.
        """
        if number == signal.SIGINT and self._interrupted:
            # Not an exception: Python drops it where it hits a destructor, and prints its trace.
            _write_at_once(ABANDONED)
            os._exit(INTERRUPTED)
        if number == signal.SIGINT:
            self._interrupted = True
            _write_at_once(CTRL_C_ANSWER)
        self.set(REASONS[signal.Signals(number)])
        # Once: the next signal may come while the block is left.
        waiting, self._waiting = self._waiting, ""
        if waiting:
            raise JobStopped(waiting)

    def after_step(self, seconds: float) -> bool:
        """Say whether the job shall end instead of doing another step as long as the longest of the last few.

        `seconds`: how long the step took that has just ended.
        """
        self._steps.append(seconds)
        if not self._reasons and self._left() < max(self._steps) + SLOWER * self._export + MARGIN_SECONDS:
            self.set(self._limit_reason())
        return self.is_set()

    def out_of_time(self) -> bool:
        """Say whether what the model can do without, its IR and its verification, shall not begin or go on.

        After SIGTERM there is no time; after the time limit has ended training, what was kept for the export and was
        not needed is there to be used.
        """
        if any(not reason.startswith(MAX_RUNTIME) for reason in self._reasons):
            return True
        if self._left() >= MARGIN_SECONDS:
            return False
        self.set(self._limit_reason())
        return True

    def _left(self) -> float:
        return self._started + self._seconds - time.monotonic() if self._seconds else float("inf")

    def _limit_reason(self) -> str:
        passed = time.monotonic() - self._started
        return f"{MAX_RUNTIME}={self._seconds:g}: {passed:.0f} s have passed since the job's start"


def _write_at_once(line: str) -> None:
    # Not print: the signal may have come in the middle of one.
    with contextlib.suppress(OSError):
        os.write(1, line.encode())


def process_start() -> float:
    """Return when this process began, imports and all, as a time of `time.monotonic`; now where nobody says.

    From the 22nd field of `/proc/self/stat`, clock ticks since the machine's start (proc_pid_stat(5)).
    """
    now = time.monotonic()
    try:
        # The name of the program, in parentheses, may hold blanks and parentheses itself.
        fields = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return now
    return now - max(age, 0.0)


def listen() -> StopSignal:
    """Return what the signals of `REASONS` set; call it from the main thread."""
    stop = StopSignal()
    for number in REASONS:
        # `nohup` and a shell's background jobs ignore some of them on purpose.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop.handle_signal)
    return stop


def ignore_signals() -> None:
    """Let no further signal change how the process ends; call it when the job has ended, from the main thread."""
    # Python puts its own handlers away before the process is gone, and the signal would kill it then.
    for number in REASONS:
        signal.signal(number, signal.SIG_IGN)


def stop_requested_on_any_host(stop: StopSignal, cluster: "Cluster") -> bool:
    """Say whether the job shall end on any of its hosts, alike on all of them; every host must call it."""
    told = cluster.any_host(stop.is_set())
    if told:
        stop.set_by_another_host()
    return told


def raise_if_set(stop: StopSignal, doing: str = "") -> None:
    """Leave a phase that has nothing to keep; `doing` says for the log how far it came.

    Raises:
        JobStopped: It is set.
    """
    if stop.is_set():
        raise JobStopped(doing)
