from collections.abc import Callable
from pathlib import Path

import pytest

from tests.image.conftest import name_of_image
from tests.image.containers import ISOLATED, Job, Start

LOCKED_DOWN = (*ISOLATED, "--read-only", "--tmpfs", "/tmp", "--user", "41234:41234", "--ipc", "none")
"""No network, a root file system that is read-only apart from /tmp, a user without a passwd entry, no /dev/shm."""


@pytest.mark.parametrize("target", ["serve", "cpu"])
def test_serves_locked_down(target: str, start: Start, trained: Job, photo: bytes) -> None:
    """Given nothing but /tmp to write to, no user of its own, no /dev/shm, no network -> the server answers."""
    options = (*LOCKED_DOWN, *trained.model_mounted())
    container = start("serve", image=name_of_image(target), options=options)
    container.wait_for_ping()
    assert container.ask("/invocations", photo).status == 200


def test_trains_locked_down(start: Start, make_opt_ml: Callable[..., Path], photographs: Path) -> None:
    """Given the same, and /opt/ml -> the job ends well and its model is complete."""
    opt_ml = make_opt_ml(photographs / "held-out", {"train_only_top_layer": "True", "epochs": "1"})
    container = start("train", options=(*LOCKED_DOWN, "--volume", f"{opt_ml}:/opt/ml"))
    assert container.exit_code() == 0, container.log()
    assert (opt_ml / "model" / "1" / "saved_model.pb").is_file()
    assert (opt_ml / "output" / "data" / "metrics.json").is_file()
