"""Short background work of the console, such as staging a model: a child process with a log and a result file each.

Whether a task runs is a lock on its log that the child holds, so that any process of the console can ask, also after a
restart.
"""

import contextlib
import fcntl
import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from image_classifier import PROGRAM
from image_classifier.contract.addresses import without_secrets

_LOG = ".log"
_LONGEST_MESSAGE = 1000
_OWNERS = ("UserError: ", "PlatformError: ", "AlgorithmError: ")


@dataclass(frozen=True)
class TaskState:
    """A task at one moment."""

    running: bool = False
    seconds: float = 0.0
    """Since it was started; of one that is over, until its last line."""
    line: str = ""
    """The last line of its log."""
    error: str = ""
    """Why it left no result: the sentence of its error; empty while it runs and after success."""


@dataclass(frozen=True)
class Tasks:
    """The tasks whose logs lie in a folder."""

    folder: Path

    def start(self, name: str, module: str, arguments: Sequence[str]) -> bool:
        """Start a module of this program in the background; False if a task of that name runs already.

        Raises:
            OSError: The disk is full or not writable.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._log(name)
        with path.open("ab") as log:
            if not _locked(log.fileno()):
                return False
            log.truncate(0)
            os.utime(path)
            path.with_suffix(".started").write_text(str(time.time()), encoding="ascii")
            # The lock is of the open file, which the child inherits: it lasts as long as the child does.
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=PROGRAM,
                env={**os.environ, "PYTHONPATH": str(PROGRAM), "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        threading.Thread(target=process.wait, name=f"task-{module}", daemon=True).start()
        return True

    def state(self, name: str, succeeded: bool) -> TaskState | None:
        """Return the state of a task; None if it was never started. `succeeded`: what it was to leave is there."""
        path = self._log(name)
        try:
            with path.open("rb") as log:
                running = not _locked(log.fileno())
                lines = log.read().decode(errors="replace").strip().splitlines()
                ended = os.fstat(log.fileno()).st_mtime
            started = float(path.with_suffix(".started").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None
        seconds = max((time.time() if running else ended) - started, 0.0)
        line = without_secrets(lines[-1])[:_LONGEST_MESSAGE] if lines else ""
        return TaskState(running, seconds, line, "" if running or succeeded else _error(lines))

    def _log(self, name: str) -> Path:
        # Names hold whatever a user typed.
        return self.folder / f"{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()[:24]}{_LOG}"


def _locked(descriptor: int) -> bool:
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _error(lines: Sequence[str]) -> str:
    """Return the sentence of the error that a log ends with, without the name of its kind."""
    for line in reversed(lines):
        for owner in _OWNERS:
            if line.startswith(owner):
                return without_secrets(line.removeprefix(owner))[:_LONGEST_MESSAGE]
    last = without_secrets(lines[-1])[:_LONGEST_MESSAGE] if lines else "it wrote nothing"
    return f"It ended without a result; its last line: {last}"
