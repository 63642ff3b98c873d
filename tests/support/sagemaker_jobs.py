"""Jobs on SageMaker in tests: started, and followed in the test's own process, look by look."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from image_classifier.runners import experiment, sagemaker
from image_classifier.runners.experiment import Experiment
from image_classifier.runners.sagemaker_job import process, record
from tests.support.sagemaker_service import BUCKET, IMAGE, ROLE, SageMakerService, sagemaker_on_this_machine

OPTIONS: dict[str, Any] = {"image": IMAGE, "role": ROLE, "location": f"s3://{BUCKET}/image-classifier"}


class InterruptedProcessError(Exception):
    """Stands for the end of the process that follows a job."""


def _interrupt(*_: object) -> None:
    raise InterruptedProcessError


@contextmanager
def followed_here(monkeypatch: pytest.MonkeyPatch) -> Iterator[SageMakerService]:
    """Run SageMaker on this machine; jobs are followed by `look`, not by a process of their own."""
    monkeypatch.setattr(process, "PAUSE", 0.0)
    monkeypatch.setattr(sagemaker, "_follow", lambda folder, lock: None)
    with sagemaker_on_this_machine(monkeypatch) as found:
        yield found


def flowers(folder: Path) -> Experiment:
    """Return an experiment with a folder of images and a model, both in `folder`."""
    for name in ("cat/1.jpg", "cat/2.jpg", "dog/1.jpg"):
        (folder / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "photos" / name).write_text(name)
    (folder / "model.tar.gz").write_bytes(b"model")
    return Experiment(
        name="flowers",
        training=str(folder / "photos"),
        model=str(folder / "model.tar.gz"),
        hyperparameters={"epochs": "3"},
        runner=experiment.SAGEMAKER,
        options={experiment.SAGEMAKER: OPTIONS},
    )


def job_of(folder: Path) -> str:
    """Return the job's name on the platform."""
    found = record.read(folder)
    assert found is not None
    return found.job


def created(service: SageMakerService, asked_for: Experiment, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Start a job that stays in progress, with a process that ended after its creation; return its name."""
    sagemaker.start(asked_for, folder)
    return create(service, folder, monkeypatch)


def create(service: SageMakerService, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let the process of a started job upload and create it, and end then; return the job's name."""
    with monkeypatch.context() as patched:
        patched.setattr(process, "_followed", _interrupt)
        with pytest.raises(InterruptedProcessError):
            process.run(folder)
    service.set_job(job_of(folder), "InProgress", "Starting")
    look(folder, monkeypatch)
    return job_of(folder)


def look(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a process look at the job once."""
    with monkeypatch.context() as patched:
        patched.setattr(
            "image_classifier.runners.sagemaker_job.process.time.sleep",
            _interrupt,
        )
        try:
            process.run(folder)
        except InterruptedProcessError:
            return
