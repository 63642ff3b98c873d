"""The step of a job that fetches its model, outside of the process that started the job."""

from dataclasses import replace
from pathlib import Path

import pytest

from image_classifier.model_hub import catalogue
from image_classifier.runners import local
from image_classifier.runners.experiment import Experiment
from image_classifier.runners.job import State
from tests.support.local_jobs import Jobs


@pytest.fixture
def cached_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of a model that no package has and that was fetched before."""
    monkeypatch.setenv("IMAGE_CLASSIFIER_CACHE", str(tmp_path / "cache"))
    model = next(model for model in catalogue.MODELS.values() if model.package is None)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / f"{model.model_id}.tar.gz").write_bytes(b"an archive")
    return model.model_id


def test_model_is_fetched_by_a_step_of_the_job(
    tmp_path: Path, asked_for: Experiment, jobs: Jobs, cached_model: str
) -> None:
    """Given a model of the catalogue -> the job's first step makes it the model channel, and the job runs with it."""
    folder = jobs.start(replace(asked_for, model=cached_model), tmp_path / "job", seconds=0.05)
    jobs.wait_for(folder, State.FINISHED)
    assert (folder / "input/data/model/model.tar.gz").resolve() == tmp_path / "cache" / f"{cached_model}.tar.gz"


def test_model_that_cannot_be_fetched_fails_the_job(
    tmp_path: Path, asked_for: Experiment, jobs: Jobs, cached_model: str
) -> None:
    """Given a cache that is a file -> failed with the step's sentence, and the job itself never ran."""
    (tmp_path / "cache" / f"{cached_model}.tar.gz").unlink()
    (tmp_path / "cache").rmdir()
    (tmp_path / "cache").touch()
    jobs.pretend(0.05)
    jobs.folders.append(tmp_path / "job")
    local.start(replace(asked_for, model=cached_model), tmp_path / "job")
    found = jobs.wait_for(tmp_path / "job", State.FAILED)
    assert found.failure is not None
    assert str(tmp_path / "cache") in found.failure
    assert found.epochs == ()
