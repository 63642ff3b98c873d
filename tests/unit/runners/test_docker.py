"""Jobs in containers: what is mounted, what is missing, and that they are stopped, resumed and found again."""

import csv
import itertools
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from image_classifier.contract.errors import PlatformError, UserError
from image_classifier.runners import docker, experiment, job_record, processes
from image_classifier.runners.experiment import Experiment
from image_classifier.runners.job import JobStatus, State
from tests.support import fake_training, pretended_docker
from tests.support.waiting import wait_until


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A program called docker; its containers end with the test."""
    monkeypatch.setenv("IMAGE_CLASSIFIER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(docker, "TRAIN", fake_training.command(60))
    folder = pretended_docker.put_on_path(tmp_path / "bin", monkeypatch)
    yield folder
    for path in folder.iterdir():
        if path.name.startswith("image-classifier-job-") and (record := processes.read(path)):
            processes.kill_session(record)


def wait_for(folder: Path, state: State) -> JobStatus:
    """Return the status once the job is in a state."""
    wait_until(lambda: docker.status(folder).state == state, 30, f"the job is {state}", pause=0.05)
    return docker.status(folder)


def start(asked_for: Experiment, folder: Path) -> Path:
    """Start a job and wait until it trains."""
    docker.start(asked_for, folder)
    wait_until(lambda: "Training images" in docker.log(folder).text, 30, "the job trains")
    return folder


def run_words(engine: Path) -> list[str]:
    """Return the words of the last docker run."""
    return next(words for words in reversed(pretended_docker.commands(engine)) if words[0] == "run")


def mounts(engine: Path) -> dict[str, bool]:
    """Return the mounted paths and whether they are read-only."""
    words = run_words(engine)
    found = {}
    for option, value in itertools.pairwise(words):
        if option == "--mount":
            (fields,) = csv.reader([value])
            assert fields[1].removeprefix("source=") == fields[2].removeprefix("target=")
            found[fields[1].removeprefix("source=")] = fields[-1] == "readonly"
    return found


def test_container_trains_and_stop_keeps_the_best_model(
    tmp_path: Path, asked_for: Experiment, engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a job in a container -> running, stopped with its model, and resumed in the same folder to its end."""
    folder = start(asked_for, tmp_path / "job")
    found = docker.status(folder)
    assert (found.state, found.extra) == (State.RUNNING, {"container": docker.name_of(folder)})
    docker.stop(folder)
    assert docker.status(folder).state in (State.STOPPING, State.STOPPED)
    assert wait_for(folder, State.STOPPED).accuracy == fake_training.ACCURACY
    monkeypatch.setattr(docker, "TRAIN", fake_training.command(0.05, 3))
    docker.resume(folder)
    found = wait_for(folder, State.FINISHED)
    assert [epoch.number for epoch in found.epochs] == [1, 2, 3]
    assert experiment.read(folder / experiment.FILE).runner == "docker"
    with pytest.raises(UserError, match="is finished; only one"):
        docker.resume(folder)


@pytest.mark.every
def test_container_that_is_killed_is_lost_or_stopped(tmp_path: Path, asked_for: Experiment, engine: Path) -> None:
    """Given a container that is killed from outside -> lost; given a request to stop at once -> stopped, no model."""
    folder = start(asked_for, tmp_path / "job")
    record = processes.read(engine / docker.name_of(folder))
    assert record is not None
    processes.kill_session(record)
    assert wait_for(folder, State.LOST).failure is not None
    docker.start(asked_for, folder)
    docker.stop(folder, now=True)
    assert wait_for(folder, State.STOPPED).accuracy is None


@pytest.mark.every
def test_second_starter_is_rejected(tmp_path: Path, asked_for: Experiment, engine: Path) -> None:
    """Given a folder in which a container works -> a clear error, one container, and one that a local job sees too."""
    folder = start(asked_for, tmp_path / "job")
    with pytest.raises(UserError, match="Another job is running in"):
        docker.start(asked_for, folder)
    assert len([words for words in pretended_docker.commands(engine) if words[0] == "run"]) == 1
    assert docker.status(folder).state == State.RUNNING


def test_paths_are_mounted_where_they_are(tmp_path: Path, asked_for: Experiment, engine: Path) -> None:
    """Given links and names with commas -> data and what links lead to read-only, job and cache writable."""
    originals = tmp_path / 'originals, "all"'
    originals.mkdir()
    (originals / "1.jpg").touch()
    (Path(asked_for.training) / "cat" / "1.jpg").symlink_to(originals / "1.jpg")
    docker.start(asked_for, tmp_path / "job,1")
    assert mounts(engine) == {
        str(tmp_path / "images"): True,
        str(tmp_path / "backbone"): True,
        str(originals): True,
        str(tmp_path / "cache"): False,
        str(tmp_path / "job,1"): False,
    }
    words = run_words(engine)
    assert words[words.index("--user") + 1] == f"{os.getuid()}:{os.getgid()}"
    assert words[words.index("--label") + 1] == f"image-classifier.job={tmp_path / 'job,1'}"


def test_model_of_the_catalogue_is_fetched_in_the_container(
    tmp_path: Path, asked_for: Experiment, engine: Path
) -> None:
    """Given a model by name and options -> the step that fetches it comes first; image, GPUs and memory as given."""
    options = {"docker": {"image": "mine:1", "gpus": "all", "memory": "4g"}}
    docker.start(replace(asked_for, model="lite0", options=options), tmp_path / "job")
    words = run_words(engine)
    assert {"--gpus=all", "--memory=4g", "mine:1"} <= set(words)
    assert '"image_classifier.runners.job_model"' in words[-1]


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ("no-image", r"The image image-classifier:cpu is not on this machine\. scripts/build --target cpu makes it"),
        ("no-engine", r"Docker's engine does not answer \(Cannot connect .*\)\. Start it"),
        ("no-permission", r"uid \d+ may not use Docker\. Add this user to the group docker"),
    ],
)
def test_what_is_missing_is_one_sentence(
    tmp_path: Path, asked_for: Experiment, engine: Path, missing: str, sentence: str
) -> None:
    """Given no image, no engine or no permission -> what to do, and nothing was made."""
    (engine / missing).touch()
    with pytest.raises(PlatformError, match=sentence):
        docker.start(asked_for, tmp_path / "job")
    assert not (tmp_path / "job").exists()


def test_machine_without_docker(tmp_path: Path, asked_for: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given no docker on PATH -> what to install, and the runner that needs none."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PlatformError, match=r"docker is not on PATH\. Install Docker, or run it without Docker"):
        docker.check(asked_for, tmp_path / "job")


@pytest.mark.every
def test_engine_that_stops_answering_is_no_lost_job(tmp_path: Path, asked_for: Experiment, engine: Path) -> None:
    """Given an engine that does not answer -> an error instead of a state; the job's record is as it was."""
    folder = start(asked_for, tmp_path / "job")
    before = job_record.read(folder)
    (engine / "no-engine").touch()
    with pytest.raises(PlatformError, match="Docker's engine does not answer"):
        docker.status(folder)
    assert job_record.read(folder) == before
    (engine / "no-engine").unlink()
    assert docker.status(folder).state == State.RUNNING


def test_all_problems_before_docker_is_asked(tmp_path: Path, asked_for: Experiment, engine: Path) -> None:
    """Given an unknown option and an invalid hyperparameter -> both in one message, and docker was not asked."""
    wrong = replace(asked_for, hyperparameters={"epochs": "x"}, options={"docker": {"gpu": "all"}})
    with pytest.raises(UserError, match=r"epochs.*Unknown key \"gpu\" in \[docker\]\. Did you mean gpus\?"):
        docker.check(wrong, tmp_path / "job")
    assert pretended_docker.commands(engine) == []
