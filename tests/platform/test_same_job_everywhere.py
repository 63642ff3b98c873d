"""One job.toml, trained on this machine and by the request that scripts/launch sends: the same figures, bit for bit.

`tests/image/test_image_trains_the_same.py` does so in the Docker image too.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.platform.training_process import run_train
from tests.support import same_job
from tests.support.sagemaker_service import SageMakerService, sagemaker_on_this_machine

pytestmark = [pytest.mark.every, pytest.mark.no_cover]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[SageMakerService]:
    """SageMaker on this machine."""
    with sagemaker_on_this_machine(monkeypatch) as found:
        yield found


def train(tree: Path, variables: Mapping[str, str]) -> None:
    """Run `container/train` on the platform's folders."""
    done = run_train(tree, **variables)
    assert done.returncode == 0, done.stdout + done.stderr


def test_sagemakers_request_trains_what_the_file_trains_here(
    service: SageMakerService, tiny_backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given one file -> equal reports and weights here and by the platform; another seed gives others."""
    file = same_job.write(tmp_path, tiny_backbone, 24)
    here = same_job.here(file, tmp_path / "here")
    there = same_job.on_sagemaker(file, tmp_path / "there", service, monkeypatch, train)
    assert same_job.figures(there) == same_job.figures(here)
    assert same_job.hyperparameters(there) == same_job.hyperparameters(here)
    assert [epoch["epoch"] for epoch in same_job.history(here)] == [1, 2, 3]
    other = same_job.figures(same_job.here(file, tmp_path / "other", "random_seed=8"))
    assert other["history.csv"] != same_job.figures(here)["history.csv"]
    assert other["weights"] != same_job.figures(here)["weights"]
