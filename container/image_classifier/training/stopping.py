"""Graceful stop before the last epoch: requested by a signal, or by the job's own time limit.

The platform sends SIGTERM 120 seconds before it kills the job. In a terminal Ctrl-C sends SIGINT, and closing the
terminal SIGHUP: both stop the job in the same way, so that the best model so far is saved.
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
"""Reasons for the log, by signal."""
CTRL_C_ANSWER = "Stop requested (SIGINT): saving the best model so far. Press Ctrl-C again to stop without saving.\n"
ABANDONED = "Stopped by a second SIGINT, without saving.\n"
INTERRUPTED = 128 + signal.SIGINT
"""Exit code that shells report for a process ended by SIGINT."""
ANOTHER_HOST = "another host was stopped"
MAX_RUNTIME = "max_runtime"
"""Prefix of the reason when the time limit stopped the job."""
MARGIN_SECONDS = 10.0
"""Reserve before the time limit for what is not measured: the last checkpoint, the reports, process exit."""
EXPORT_SAFETY_FACTOR = 1.5
"""How many times longer than measured the export may take."""
_RECENT_STEPS = 20
"""The longest of these last steps is the estimate for the next one."""


class JobStopped(Exception):  # noqa: N818 - not an error
    """The job was stopped before there was a model to save; the text, if any, says how far it got."""


class StopSignal:
    """Request to stop, by a signal or because the time budget is spent; the job's phases poll it.

    The job must exit `limit_seconds` after `started`, a time of `time.monotonic`; 0 means no limit.
    """

    def __init__(self, limit_seconds: float = 0.0, started: float | None = None) -> None:
        self._reasons: list[str] = []
        self._steps: deque[float] = deque(maxlen=_RECENT_STEPS)
        self._export = 0.0
        self._waiting_for = ""
        self._interrupted = False
        self.set_time_limit(limit_seconds, started)

    @property
    def reason(self) -> str:
        """Why the job stops, for the log; empty until a stop is requested."""
        return self._reasons[0] if self._reasons else ""

    def set_time_limit(self, seconds: float, started: float | None = None) -> None:
        """Set the time limit, counted from `started`, by default from the start of this process; 0 means none."""
        self._seconds = seconds
        self._started = process_start() if started is None else started

    def reserve_export_time(self, seconds: float) -> None:
        """Reserve the measured duration of the export; 0 once the model has been exported."""
        self._export = seconds

    def training_seconds(self) -> float:
        """Return the seconds until training must stop, with just enough time left to save the model; or infinity."""
        return self._left() - EXPORT_SAFETY_FACTOR * self._export - MARGIN_SECONDS

    def is_set(self) -> bool:
        """Return whether training must stop now, with the time left just enough to save the model."""
        if not self._reasons and self.training_seconds() < 0:
            self.set(self._limit_reason())
        return bool(self._reasons)

    def set(self, reason: str = SIGTERM) -> None:
        """Request a stop; the first reason counts. Safe to call from a signal handler during any other method."""
        # A single append is atomic: no lock is needed, and the next signal finds a consistent state.
        self._reasons.append(reason)

    def set_by_another_host(self) -> None:
        """Stop because another host of the job was stopped; a reason of this host's own is kept."""
        if not self._reasons:
            self.set(ANOTHER_HOST)

    @contextmanager
    def interruptible(self, waiting_for: str) -> Iterator[None]:
        """Let a signal interrupt the block, which only waits and has nothing to save; `waiting_for` is for the log.

        Raises:
            JobStopped: A stop was requested, in the block or before.
        """
        self._waiting_for = waiting_for
        try:
            raise_if_set(self, waiting_for)
            yield
        finally:
            self._waiting_for = ""

    def handle_signal(self, number: int, frame: object) -> None:
        """Handle a signal in the main thread, between any two of Python's operations.

        The second SIGINT exits the process: the user does not want to wait until the model is saved.

        Raises:
            JobStopped: The job is in an `interruptible` block.
        """
        if number == signal.SIGINT and self._interrupted:
            # Not an exception: Python drops those raised in a destructor, and prints their traceback.
            _write_at_once(ABANDONED)
            os._exit(INTERRUPTED)
        if number == signal.SIGINT:
            self._interrupted = True
            _write_at_once(CTRL_C_ANSWER)
        self.set(REASONS[signal.Signals(number)])
        # Only once: the next signal may arrive while the block is left.
        waiting_for, self._waiting_for = self._waiting_for, ""
        if waiting_for:
            raise JobStopped(waiting_for)

    def after_step(self, seconds: float) -> bool:
        """Return whether training must stop instead of taking another step, by the longest of the recent steps.

        `seconds` is the duration of the step that has just ended.
        """
        self._steps.append(seconds)
        if not self._reasons and self._left() < max(self._steps) + EXPORT_SAFETY_FACTOR * self._export + MARGIN_SECONDS:
            self.set(self._limit_reason())
        return self.is_set()

    def out_of_time(self) -> bool:
        """Return whether to skip or interrupt optional work: the OpenVINO IR and the verification.

        After a signal there is no time. After the time limit stopped training, the unused part of the reserve for the
        export is available.
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
        return f"{MAX_RUNTIME}={self._seconds:g}: {passed:.0f} s have passed since the job started"


def _write_at_once(line: str) -> None:
    # Not print: the signal may have interrupted one.
    with contextlib.suppress(OSError):
        os.write(1, line.encode())


def process_start() -> float:
    """Return when this process started, before its imports, as a time of `time.monotonic`; now where /proc is missing.

    From field 22 of `/proc/self/stat`, clock ticks since boot (proc_pid_stat(5)).
    """
    now = time.monotonic()
    try:
        # The program name, in parentheses, may itself contain spaces and parentheses.
        fields = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return now
    return now - max(age, 0.0)


def listen() -> StopSignal:
    """Install handlers for the signals of `REASONS` and return what they set; call it from the main thread."""
    stop = StopSignal()
    for number in REASONS:
        # `nohup` and a shell's background jobs ignore some of them on purpose.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop.handle_signal)
    return stop


def ignore_signals() -> None:
    """Ignore further signals, so that they cannot change the exit code; call it at the end, from the main thread."""
    # Python removes its handlers before the process exits, and a signal would then kill it.
    for number in REASONS:
        signal.signal(number, signal.SIG_IGN)


def stop_requested_on_any_host(stop: StopSignal, cluster: "Cluster") -> bool:
    """Return whether any host was asked to stop; equal on all hosts. Collective: every host must call it."""
    requested = cluster.any_host(stop.is_set())
    if requested:
        stop.set_by_another_host()
    return requested


def raise_if_set(stop: StopSignal, doing: str = "") -> None:
    """Leave a phase that has nothing to save; `doing` says for the log how far it got.

    Raises:
        JobStopped: A stop was requested.
    """
    if stop.is_set():
        raise JobStopped(doing)


def without_model(stop: StopSignal, doing: str, checkpoints: Path) -> str:
    """Return what a job says that was stopped before it had a model.

    `doing` is what it did then, or empty; `checkpoints` the folder from which it may resume.
    """
    where = f"; {doing}" if doing else ""
    newest = max((path.name for path in checkpoints.glob("checkpoint-*")), default=None)
    if newest:
        kept = f"the same job will resume from {checkpoints / newest}"
    elif any(checkpoints.glob("*")):
        kept = f"the same job will resume with the features in {checkpoints}, which holds no checkpoint yet"
    else:
        kept = f"there is no checkpoint in {checkpoints} to resume from"
    more = " Raise max_runtime." if stop.reason.startswith(MAX_RUNTIME) else ""
    return f"Stopped ({stop.reason}{where}) before the first epoch finished. No model was saved, and {kept}.{more}"
