"""The runner docker on a real engine and the real image: a job trains, is stopped with its model, and is resumed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from image_classifier.runners import docker, experiment
from image_classifier.runners.experiment import Experiment
from image_classifier.runners.job import JobStatus, State
from tests.image.containers import PAUSE
from tests.image.containers import docker as run_docker
from tests.support.waiting import wait_until


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a job whose container is removed afterwards."""
    monkeypatch.setenv("IMAGE_CLASSIFIER_CACHE", str(tmp_path / "cache"))
    yield tmp_path / "job"
    run_docker("rm", "--force", docker.name_of(tmp_path / "job"), check=False)


def wait_for(folder: Path, state: State) -> JobStatus:
    """Return the status once the job is in a state."""
    wait_until(lambda: docker.status(folder).state == state, 180, f"the job is {state}", PAUSE)
    return docker.status(folder)


def test_job_is_stopped_and_resumed(folder: Path, photographs: Path, backbone: Path, image: str) -> None:
    """Given a long job in the image -> epochs and memory are seen, stop saves the best model, resume continues it."""
    settings = {"epochs": "100000", "train_only_top_layer": "True", "recipe": "builtin"}
    asked_for = Experiment(
        "solar",
        str(photographs / "train"),
        model=str(backbone),
        hyperparameters=settings,
        options={"docker": {"image": image}},
    )
    docker.start(asked_for, folder)
    wait_until(lambda: len(docker.status(folder).epochs) > 1, 180, "two epochs are measured", PAUSE)
    found = docker.status(folder)
    assert (found.state, found.unit, found.total) == (State.RUNNING, "epochs", 100_000)
    assert found.memory_bytes is not None
    assert found.memory_bytes > 100 * 2**20
    docker.stop(folder)
    stopped = wait_for(folder, State.STOPPED)
    assert stopped.accuracy is not None
    assert stopped.accuracy > 0.6
    assert (folder / "model" / "1" / "saved_model.pb").is_file()
    docker.resume(folder)
    wait_until(lambda: len(docker.status(folder).epochs) > len(stopped.epochs), 180, "another epoch", PAUSE)
    docker.stop(folder, now=True)
    assert wait_for(folder, State.STOPPED).accuracy is None
    assert experiment.read(folder / experiment.FILE).name == "solar"
