"""The runner docker on a real engine and the real image: a job trains, is stopped with its model, and is resumed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from image_classifier.model_hub import packages
from image_classifier.runners import docker, experiment
from image_classifier.runners.experiment import Experiment
from image_classifier.runners.job import JobStatus, State
from tests.image.containers import PAUSE
from tests.image.containers import docker as run_docker
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a job whose container is removed afterwards."""
    scratch = tmp_path_factory.mktemp("docker-job")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(packages.CACHE_VARIABLE, str(scratch / "cache"))
        yield scratch / "job"
    run_docker("rm", "--force", docker.name_of(scratch / "job"), check=False)


def wait_for(folder: Path, state: State) -> JobStatus:
    """Return the status once the job is in a state."""
    wait_until(lambda: docker.status(folder).state == state, 180, f"the job is {state}", PAUSE)
    return docker.status(folder)


@pytest.fixture(scope="module")
def running(folder: Path, photographs: Path, backbone: Path, image: str) -> JobStatus:
    """The status of a long job after two of its epochs."""
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
    return docker.status(folder)


@pytest.fixture(scope="module")
def stopped(folder: Path, running: JobStatus) -> JobStatus:
    """The status of the same job after a stop."""
    docker.stop(folder)
    return wait_for(folder, State.STOPPED)


def test_job_is_followed(folder: Path, running: JobStatus) -> None:
    """Given a long job in the image -> its state, epochs and memory are seen while it runs."""
    assert (running.state, running.unit, running.total) == (State.RUNNING, "epochs", 100_000)
    assert running.memory_bytes is not None
    assert running.memory_bytes > 100 * 2**20


def test_stopped_job_leaves_its_best_model(folder: Path, stopped: JobStatus) -> None:
    """Given a stop -> the job ends with its accuracy and its best model, and can be read as an experiment."""
    assert stopped.accuracy is not None
    assert stopped.accuracy > 0.6
    assert (folder / "model" / "1" / "saved_model.pb").is_file()
    assert experiment.read(folder / experiment.FILE).name == "solar"


@pytest.mark.every
def test_stopped_job_is_resumed(folder: Path, stopped: JobStatus) -> None:
    """Given a stopped job -> resume continues its epochs; a stop at once leaves no accuracy."""
    docker.resume(folder)
    wait_until(lambda: len(docker.status(folder).epochs) > len(stopped.epochs), 180, "another epoch", PAUSE)
    docker.stop(folder, now=True)
    assert wait_for(folder, State.STOPPED).accuracy is None
