"""Work in the background: a process of its own with a folder that says what it does and how far it is.

The folder is the truth. A console that was restarted finds the process again, or that it was interrupted.
"""

import contextlib
import fcntl
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from types import FrameType

from image_classifier import PROGRAM, durable_files
from image_classifier.contract.addresses import without_secrets
from image_classifier.contract.errors import ExplainedError, first_line, reported
from image_classifier.runners import processes

PROCESS, _PROGRESS, _OUTCOME, LOG = "process.json", "progress.json", "outcome.json", "log.txt"
_LOCK = "lock"
_EXIT_SECONDS = 5.0
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""Variables of a task that divides its work among processes and threads of its own: one thread a library."""
_LONGEST_MESSAGE = 1000
_NICENESS = 10
_INTERVAL = 0.25
"""Seconds between two records of progress."""


class State(StrEnum):
    """What a task is doing."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    """Its process ended without saying how: killed, or the machine was restarted."""


@dataclass(frozen=True)
class Progress:
    """How far a task is."""

    phase: str = "Starting"
    done: int = 0
    total: int = 0
    """0: unknown."""


@dataclass(frozen=True)
class Status:
    """A task's state and progress."""

    state: State
    progress: Progress = Progress()
    message: str = ""
    """Why it failed."""


@dataclass(frozen=True)
class CommandStatus:
    """A command of the program as a task: it reports nothing but its log."""

    is_running: bool
    seconds: float
    """Since it was started; of one that is over, until its last line."""
    line: str
    """The last line of its log."""
    error: str
    """Why it left no result: the sentence of its error; empty while it runs and after success."""


class CancelledError(Exception):
    """The task was asked to end."""


def start(folder: Path, module: str, arguments: Sequence[str], variables: Mapping[str, str] | None = None) -> bool:
    """Start `python -m module <arguments>` as the task of a folder; False if that runs already.

    Raises:
        OSError: The disk is full or not writable, or no process can be started.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / _LOCK).open("ab") as lock:
        # The process inherits the lock and holds it as long as it runs: two tabs start one task.
        if not _locked(lock.fileno()) and not _released(folder, lock.fileno()):
            return False
        for name in (_PROGRESS, _OUTCOME, PROCESS, LOG):
            (folder / name).unlink(missing_ok=True)
        path = os.pathsep.join(filter(None, (str(PROGRAM), os.environ.get("PYTHONPATH"))))
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **(variables or {})}
        command = [sys.executable, "-m", module, *arguments]
        started = processes.start(command, environment, folder / LOG, PROGRAM, (lock.fileno(),))
        processes.write(folder / PROCESS, started)
    return True


def status(folder: Path) -> Status | None:
    """Return what a task is doing that `run` does; None if it was never started."""
    record = processes.read(folder / PROCESS)
    if record is None:
        return None
    # In this order: a process writes its outcome before it exits.
    is_running = processes.is_running(record)
    progress = _progress(folder)
    if outcome := _read(folder / _OUTCOME):
        return Status(State(outcome["state"]), progress, outcome.get("message", ""))
    return Status(State.RUNNING if is_running else State.INTERRUPTED, progress)


def command_status(folder: Path, succeeded: bool) -> CommandStatus | None:
    """Return what a task is doing that is a command; None if it was never started.

    `succeeded`: what it was to leave is there.
    """
    record = processes.read(folder / PROCESS)
    if record is None:
        return None
    is_running = processes.is_running(record)
    try:
        started, log = (folder / PROCESS).stat().st_mtime, folder / LOG
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        until = time.time() if is_running else log.stat().st_mtime
    except OSError:
        return None
    error = "" if is_running or succeeded else _error(lines)
    return CommandStatus(is_running, max(until - started, 0.0), _shown(lines[-1]) if lines else "", error)


def cancel(folder: Path, patience: float = 5.0) -> None:
    """Ask a task's process to end, wait for it, and kill it after `patience` seconds."""
    record = processes.read(folder / PROCESS)
    if record is None or not processes.send(record, signal.SIGTERM):
        return
    deadline = time.monotonic() + patience
    while processes.is_running(record) and time.monotonic() < deadline:
        time.sleep(0.02)
    processes.kill_session(record)


def withdraw(folder: Path) -> None:
    """End a task's process if it runs, as if it had never been started; one that is over keeps its outcome."""
    record = processes.read(folder / PROCESS)
    if record is not None and processes.is_running(record):
        cancel(folder)
        (folder / PROCESS).unlink(missing_ok=True)


class Reporter:
    """Records progress in a task's process, a few times a second."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._next = folder, 0.0

    def report(self, phase: str, done: int = 0, total: int = 0) -> None:
        """Record progress; records between two intervals are left out."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _INTERVAL
            text = json.dumps(asdict(Progress(phase, done, total)))
            # Not durable: it is worth nothing after a crash.
            partial = self._folder / f"{_PROGRESS}.partial"
            partial.write_text(text, encoding="utf-8")
            partial.replace(self._folder / _PROGRESS)

    def begin(self, phase: str, total: int = 0) -> None:
        """Record the beginning of a phase."""
        self._next = 0.0
        self.report(phase, 0, total)


def run(folder: Path, work: Callable[[Reporter], None]) -> int:
    """Do a task's work in its process, record how it ended, and return the exit code."""
    os.nice(_NICENESS)
    signal.signal(signal.SIGTERM, _cancel)
    try:
        work(Reporter(folder))
    except CancelledError:
        outcome = {"state": State.CANCELLED.value}
    except (ExplainedError, OSError) as error:
        outcome = {"state": State.FAILED.value, "message": str(error)}
    except Exception as error:  # shown on the page, with the details in the log
        traceback.print_exc()
        outcome = {"state": State.FAILED.value, "message": f"{type(error).__name__}: {first_line(error)}."}
    else:
        outcome = {"state": State.FINISHED.value}
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    durable_files.write_json(folder / _OUTCOME, outcome)
    return 0 if outcome["state"] == State.FINISHED.value else 1


def _cancel(number: int, frame: FrameType | None) -> None:
    raise CancelledError


def _progress(folder: Path) -> Progress:
    try:
        return Progress(**json.loads((folder / _PROGRESS).read_bytes()))
    except (OSError, ValueError, TypeError):
        return Progress()


def _read(path: Path) -> dict[str, str] | None:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _released(folder: Path, descriptor: int) -> bool:
    """Wait for the lock of a process that was killed: its threads hold it until the last one has exited."""
    record = processes.read(folder / PROCESS)
    if record is None or processes.is_running(record):
        return False
    deadline = time.monotonic() + _EXIT_SECONDS
    while not (locked := _locked(descriptor)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return locked


def _locked(descriptor: int) -> bool:
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _error(lines: Sequence[str]) -> str:
    """Return the sentence of the error that a log ends with, without the name of its kind."""
    if found := reported("\n".join(lines)):
        return _shown(str(found))
    return f"It ended without a result; its last line: {_shown(lines[-1]) if lines else 'it wrote nothing'}"


def _shown(line: str) -> str:
    return without_secrets(line)[:_LONGEST_MESSAGE]
