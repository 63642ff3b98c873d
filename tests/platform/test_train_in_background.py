"""A real job of the local runner: watched, stopped with its best model, and resumed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from image_classifier.runners import job_record, local, processes
from image_classifier.runners.experiment import Experiment
from image_classifier.runners.job import JobStatus, State
from tests.platform.stopped_jobs import assert_stopped_in_a_step
from tests.support.waiting import wait_until

pytestmark = pytest.mark.no_cover


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """The folder of a job that ends with the test."""
    yield tmp_path / "job"
    if record := job_record.read(tmp_path / "job"):
        processes.kill_session(record.supervisor)


@pytest.fixture
def asked_for(tmp_path: Path, tiny_backbone: Path) -> Experiment:
    """Two colours, many epochs."""
    for name, colour in (("blue", (20, 20, 200)), ("red", (200, 20, 20))):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(12):
            shade = tuple(value + 3 * number for value in colour)
            Image.new("RGB", (50, 40), shade).save(tmp_path / "images" / name / f"{number:02}.png")
    settings = {"epochs": "100000", "learning_rate": "0.001", "train_only_top_layer": "True"}
    return Experiment("colours", str(tmp_path / "images"), model=str(tiny_backbone), hyperparameters=settings)


def wait_for_epochs(folder: Path, more_than: int) -> JobStatus:
    """Return the status once so many epochs have been measured."""
    wait_until(lambda: len(local.status(folder).epochs) > more_than, 120, f"more than {more_than} epochs", pause=0.1)
    return local.status(folder)


def wait_for(folder: Path, state: State) -> JobStatus:
    """Return the status once the job is in a state."""
    wait_until(lambda: local.status(folder).state == state, 120, f"the job is {state}", pause=0.1)
    return local.status(folder)


def test_job_in_the_background_is_stopped_and_resumed(folder: Path, asked_for: Experiment) -> None:
    """Given a job of many epochs -> its curve and memory; stop saves the model; resume continues to count."""
    local.start(asked_for, folder)
    found = wait_for_epochs(folder, 2)
    assert (found.state, found.phase, found.total) == (State.RUNNING, "Training", 100_000)
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} <= found.epochs[0].metrics.keys()
    assert found.memory_bytes is not None
    assert found.memory_bytes > 100 * 2**20
    local.stop(folder)
    stopped = wait_for(folder, State.STOPPED)
    assert stopped.accuracy is not None
    assert_stopped_in_a_step(folder, local.log(folder).text)
    record = job_record.read(folder)
    assert record is not None
    assert processes.session(record.supervisor) == []
    local.resume(folder)
    resumed = wait_for_epochs(folder, len(stopped.epochs))
    numbers = [epoch.number for epoch in resumed.epochs]
    assert numbers == list(range(1, len(numbers) + 1))
    local.stop(folder, now=True)
    assert wait_for(folder, State.STOPPED).accuracy is None
