from collections.abc import Iterator
from pathlib import Path

import pytest

from image_classifier.runners import job_record, processes
from image_classifier.runners.experiment import Experiment
from tests.support.local_jobs import Jobs


@pytest.fixture
def asked_for(tmp_path: Path) -> Experiment:
    """An experiment on folders that exist."""
    (tmp_path / "images" / "cat").mkdir(parents=True)
    (tmp_path / "backbone").mkdir()
    return Experiment("flowers", str(tmp_path / "images"), model=str(tmp_path / "backbone"))


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Jobs]:
    """Jobs that end with the test."""
    found = Jobs(monkeypatch)
    yield found
    for folder in found.folders:
        if record := job_record.read(folder):
            processes.kill_session(record.supervisor)
