"""One job.toml on this machine, in the image by the runner docker, and in it by SageMaker's request: equal figures.

The image has another Python than the checkout, and the same versions of what computes: TensorFlow, OpenVINO, NumPy and
Pillow. On one CPU all bits are therefore the same.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from image_classifier.model_hub import packages
from image_classifier.runners import docker
from tests.image.containers import ISOLATED, PAUSE, Start
from tests.image.containers import docker as run_docker
from tests.support import same_job
from tests.support.sagemaker_service import sagemaker_on_this_machine

pytestmark = [pytest.mark.every, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def trained_everywhere(
    tmp_path_factory: pytest.TempPathFactory, backbone: Path, image: str, start: Start
) -> Iterator[dict[str, Path]]:
    """The folders of the three jobs."""
    scratch = tmp_path_factory.mktemp("same-job")
    file = same_job.write(scratch, backbone, 12, image)

    def train(tree: Path, variables: Mapping[str, str]) -> None:
        given = (word for name, value in variables.items() for word in ("--env", f"{name}={value}"))
        container = start("train", options=(*ISOLATED, *given, "--volume", f"{tree}:/opt/ml"))
        assert container.exit_code(600) == 0, container.log()[-4000:]

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv(packages.CACHE_VARIABLE, str(scratch / "cache"))
        folders = {"here": same_job.here(file, scratch / "here")}
        folders["docker"] = same_job.in_docker(file, scratch / "docker", PAUSE)
        with sagemaker_on_this_machine(monkeypatch) as service:
            folders["sagemaker"] = same_job.on_sagemaker(file, scratch / "sagemaker", service, monkeypatch, train)
        yield folders
    run_docker("rm", "--force", docker.name_of(scratch / "docker"), check=False)


@pytest.mark.parametrize("runner", ["docker", "sagemaker"])
def test_figures_are_those_of_this_machine(trained_everywhere: dict[str, Path], runner: str) -> None:
    """Given one file -> reports and weights of a job in the image are those of a job in the checkout, bit for bit."""
    here, there = trained_everywhere["here"], trained_everywhere[runner]
    assert same_job.history(there) == same_job.history(here)
    assert same_job.figures(there) == same_job.figures(here)
    assert same_job.hyperparameters(there) == same_job.hyperparameters(here)


def test_job_learned(trained_everywhere: dict[str, Path]) -> None:
    """Given images of stripes -> three epochs whose loss falls, so that equal figures are those of training."""
    losses = [epoch["loss"] for epoch in same_job.history(trained_everywhere["here"])]
    assert len(losses) == 3
    assert losses[0] > losses[-1]
