from collections.abc import Callable
from pathlib import Path

import pytest

from tests.image.conftest import name_of_image
from tests.image.containers import ISOLATED, Container, Job, Start, docker


def written(container: Container) -> list[str]:
    """Return what a container changed outside /tmp; /opt/ml is a volume and so not in its own file system."""
    mount_points = ("/opt", "/opt/ml", "/opt/ml/model", "/tmp")
    return [name for name in container.changed_files() if name not in mount_points and not name.startswith("/tmp/")]


@pytest.mark.every
def test_training_writes_to_opt_ml_and_tmp_alone(
    start: Start, make_opt_ml: Callable[..., Path], photographs: Path
) -> None:
    """Given a root file system that can be written -> a job leaves nothing in it, and cleans /tmp up."""
    opt_ml = make_opt_ml(photographs / "held-out", {"train_only_top_layer": "True", "epochs": "1"})
    container = start("train", options=(*ISOLATED, "--volume", f"{opt_ml}:/opt/ml"))
    assert container.exit_code() == 0, container.log()
    assert written(container) == []
    assert [name for name in container.changed_files() if name.startswith("/tmp/job-")] == []


@pytest.mark.parametrize("target", ["serve", "cpu"])
def test_serving_writes_to_tmp_alone(target: str, start: Start, trained: Job, photo: bytes) -> None:
    """Given a root file system that can be written -> a server leaves nothing in it."""
    container = start("serve", image=name_of_image(target), options=(*ISOLATED, *trained.model_mounted()))
    container.wait_for_ping()
    assert container.ask("/invocations", photo).status == 200
    docker("stop", container.name)
    assert written(container) == []
