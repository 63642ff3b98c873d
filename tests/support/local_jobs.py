"""Local jobs that pretend to train: started, waited for, and killed at the end."""

from pathlib import Path

import pytest

from image_classifier.runners import job_record, local, workplace
from image_classifier.runners.experiment import Experiment
from image_classifier.runners.job import JobStatus, State
from tests.support import fake_training
from tests.support.waiting import wait_until


class Jobs:
    """Starts jobs that pretend to train, waits for them, and kills what is left of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.folders: list[Path] = []

    def pretend(self, seconds: float, epochs: int = 2, how: str = "") -> None:
        """Let jobs run the program of `fake_training`."""
        self._monkeypatch.setattr(workplace, "TRAIN", fake_training.command(seconds, epochs, how))

    def start(self, asked_for: Experiment, folder: Path, seconds: float = 60, epochs: int = 2, how: str = "") -> Path:
        """Start a job and wait until it trains, unless it fails at once."""
        self.pretend(seconds, epochs, how)
        self.folders.append(folder)
        local.start(asked_for, folder)
        if how not in ("fail", "crash"):
            wait_until(lambda: "Training images" in local.log(folder).text, 20, "the job trains")
        return folder

    def wait_for(self, folder: Path, state: State, seconds: float = 20) -> JobStatus:
        """Return the status once the job is in a state."""
        wait_until(lambda: local.status(folder).state == state, seconds, f"{folder} is {state}")
        return local.status(folder)

    def record(self, folder: Path) -> job_record.JobRecord:
        """Return the record of a job."""
        found = job_record.read(folder)
        assert found is not None
        return found
