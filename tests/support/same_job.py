"""One job.toml for every runner: trained where a test says, and what jobs of equal numbers have in common, bit for bit.

What is left out has times or names of the job in it: the report, the model card, the model info, the log.
"""

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from image_classifier.cli import train_locally
from image_classifier.cli.launch import __main__ as launch
from image_classifier.runners import docker, experiment, sagemaker
from image_classifier.runners.job import State
from image_classifier.runners.sagemaker_job import process
from tests.support import stripes, training_platform
from tests.support.sagemaker_jobs import create, job_of
from tests.support.sagemaker_service import BUCKET, IMAGE, ROLE, SageMakerService
from tests.support.waiting import wait_until

FILE = f"""\
name = "stripes"
training = "photos"
model = "backbone.tar.gz"

[hyperparameters]
epochs = 3
batch_size = 8
learning_rate = 0.01
deterministic = true
random_seed = 7

[docker]
image = "DOCKER"
network = "none"

[sagemaker]
image = "{IMAGE}"
role = "{ROLE}"
location = "s3://{BUCKET}/image-classifier"
"""
FIGURES = ("metrics.json", "history.csv", "predictions.csv", "evaluation.json", "issues.csv", "skipped.csv")
_WEIGHTS = Path("model/1/variables/variables.data-00000-of-00001")


def write(folder: Path, backbone: Path, count: int, image: str = "image-classifier:cpu") -> Path:
    """Write the file, `count` images of each of two classes, and a backbone; return the file's path."""
    stripes.write(folder / "photos", count)
    (folder / "backbone.tar.gz").write_bytes(backbone.read_bytes())
    file = folder / "job.toml"
    file.write_text(FILE.replace("DOCKER", image))
    return file


def here(file: Path, folder: Path, *words: str) -> Path:
    """Train with `scripts/train-locally --job`, and return the folder."""
    assert train_locally.main(["--job", str(file), "--output", str(folder), *words]) == 0
    return folder


def in_docker(file: Path, folder: Path, pause: float) -> Path:
    """Train with the runner docker, as the console does, and return the folder."""
    docker.start(experiment.read(file), folder)
    wait_until(lambda: docker.status(folder).state.is_over, 300, "the job in the container is over", pause)
    found = docker.status(folder)
    assert found.state == State.FINISHED, f"{found.failure}\n{docker.log(folder).text[-4000:]}"
    return folder


def on_sagemaker(
    file: Path,
    folder: Path,
    service: SageMakerService,
    monkeypatch: pytest.MonkeyPatch,
    train: Callable[[Path, Mapping[str, str]], None],
) -> Path:
    """Train with `scripts/launch train`: by its request a platform lays out /opt/ml and calls `train`, the program.

    Returns the folder, with what the command has fetched.
    """
    monkeypatch.setattr(sagemaker, "_follow", lambda folder, lock: None)
    assert launch.main(["train", str(file), "--output", str(folder), "--detach"]) == 0
    create(service, folder, monkeypatch)
    training_platform.run(dict(service.requests)["CreateTrainingJob"], folder.with_name(f"{folder.name}-opt-ml"), train)
    service.set_job(job_of(folder), "Completed")
    process.run(folder)
    assert sagemaker.status(folder).state == State.FINISHED
    return folder


def figures(folder: Path) -> dict[str, Any]:
    """Return what a job measured and learned: all numbers of its reports, and its weights."""
    reports = folder / "output" / "data"
    return {name: (reports / name).read_bytes() for name in FIGURES} | {"weights": (folder / _WEIGHTS).read_bytes()}


def history(folder: Path) -> list[dict[str, float]]:
    """Return the figures of each epoch."""
    with (folder / "output" / "data" / "history.csv").open(newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def hyperparameters(folder: Path) -> dict[str, Any]:
    """Return those with which the model was trained, without the time budget, which the platform's limit gives."""
    info = json.loads((folder / "model" / "__model_info__.json").read_text(encoding="utf-8"))
    return {name: value for name, value in info["hyperparameters"].items() if name != "max_runtime"}
