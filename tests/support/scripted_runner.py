"""A runner of jobs that only exist as files: a test says what becomes of each."""

import json
import threading
import time
from dataclasses import replace
from pathlib import Path

from image_classifier.contract.errors import UserError
from image_classifier.runners import experiment
from image_classifier.runners.experiment import Experiment
from image_classifier.runners.job import JobStatus, LogPart, State

STATE_FILE = "process.json"


class ScriptedRunner:
    """Keeps each job's state in its folder, so that another console finds it; `calls` is what it was asked to do."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.rejects: str | None = None
        """The sentence with which every check and start fails."""
        self.statuses: dict[str, JobStatus] = {}
        """What is known besides the state, by the job's name."""

    def check(self, experiment: Experiment, folder: Path) -> None:
        """Fail if the test wants it."""
        if self.rejects:
            raise UserError(self.rejects)

    def start(self, asked: Experiment, folder: Path) -> None:
        """Begin a job."""
        self.calls.append(("start", folder.name))
        self.check(asked, folder)
        folder.mkdir(parents=True)
        experiment.write(folder / experiment.FILE, asked)
        self.set(folder, State.RUNNING)

    def set(self, folder: Path, state: State) -> None:
        """Let a job be in a state."""
        # Replaced, not rewritten: a thread of the console may read it at any time.
        partial = folder / f"{STATE_FILE}.{threading.get_ident()}"
        partial.write_text(json.dumps({"state": state, "time": time.time_ns()}))
        partial.replace(folder / STATE_FILE)

    def status(self, folder: Path) -> JobStatus:
        """Return what the test has set."""
        self.calls.append(("status", folder.name))
        try:
            state = State(json.loads((folder / STATE_FILE).read_bytes())["state"])
        except OSError as error:
            raise UserError(f"{folder} holds no job.") from error
        return replace(self.statuses.get(folder.name, JobStatus(state)), state=state)

    def stop(self, folder: Path, now: bool = False) -> None:
        """Let a job be stopped."""
        self.calls.append(("kill" if now else "stop", folder.name))
        self.set(folder, State.STOPPED)

    def resume(self, folder: Path) -> None:
        """Let a job run again."""
        self.calls.append(("resume", folder.name))
        self.set(folder, State.RUNNING)

    def log(self, folder: Path, offset: int = 0) -> LogPart:
        """Return the job's log as the test has written it."""
        path = folder / "job.log"
        content = path.read_bytes() if path.exists() else b""
        start = max(0, len(content) + offset) if offset < 0 else offset
        part = content[start : start + (64 << 10)]
        return LogPart(part.decode(errors="replace"), start + len(part))
