from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from image_classifier.runners.job_tree import LocalJob

if TYPE_CHECKING:
    from tests.support.sagemaker_service import SageMakerService


@pytest.fixture
def job(tmp_path: Path) -> LocalJob:
    """A job with images of one class and a model folder, side by side."""
    (tmp_path / "images" / "cat").mkdir(parents=True)
    (tmp_path / "images" / "cat" / "1.jpg").write_bytes(b"cat")
    (tmp_path / "backbone").mkdir()
    return LocalJob(tmp_path / "images", tmp_path / "backbone", tmp_path / "out")


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator["SageMakerService"]:
    """SageMaker on this machine, which is looked at without pauses."""
    # Most tests of commands need neither boto3 nor moto.
    from image_classifier.cloud.sagemaker import waiting
    from tests.support.sagemaker_service import sagemaker_on_this_machine

    monkeypatch.setattr(waiting, "PAUSE", 0.0)
    with sagemaker_on_this_machine(monkeypatch) as found:
        yield found
