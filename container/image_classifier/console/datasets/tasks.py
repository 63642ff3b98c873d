"""Work in the background: a process of its own with a folder that says what it does and how far it is.

The folder is the truth. A console that was restarted finds the process again, or that it was interrupted.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from types import FrameType

from image_classifier import PROGRAM, durable_files
from image_classifier.contract.errors import ExplainedError, first_line
from image_classifier.runners import processes

_PROCESS, _PROGRESS, _OUTCOME, LOG = "process.json", "progress.json", "outcome.json", "log.txt"
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


class CancelledError(Exception):
    """The task was asked to end."""


def start(folder: Path, module: str, arguments: Sequence[str]) -> None:
    """Start `python -m module <folder> <arguments>` for a task; does nothing while it runs.

    Raises:
        OSError: The disk is full or not writable, or no process can be started.
    """
    if (now := status(folder)) and now.state is State.RUNNING:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name in (_PROGRESS, _OUTCOME, _PROCESS):
        (folder / name).unlink(missing_ok=True)
    path = os.pathsep.join(filter(None, (str(PROGRAM), os.environ.get("PYTHONPATH"))))
    # One thread a library: the work is divided among processes and threads of our own.
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", module, str(folder), *arguments]
    processes.write(folder / _PROCESS, processes.start(command, environment, folder / LOG))


def status(folder: Path) -> Status | None:
    """Return what a task is doing; None if it was never started."""
    record = processes.read(folder / _PROCESS)
    if record is None:
        return None
    # In this order: a process writes its outcome before it exits.
    is_running = processes.is_running(record)
    progress = _progress(folder)
    if outcome := _read(folder / _OUTCOME):
        return Status(State(outcome["state"]), progress, outcome.get("message", ""))
    return Status(State.RUNNING if is_running else State.INTERRUPTED, progress)


def cancel(folder: Path, patience: float = 5.0) -> None:
    """Ask a task's process to end, wait for it, and kill it after `patience` seconds."""
    record = processes.read(folder / _PROCESS)
    if record is None or not processes.send(record, signal.SIGTERM):
        return
    deadline = time.monotonic() + patience
    while processes.is_running(record) and time.monotonic() < deadline:
        time.sleep(0.02)
    processes.kill_session(record)


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
        import traceback

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
