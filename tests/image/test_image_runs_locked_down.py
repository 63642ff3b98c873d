from pathlib import Path

import pytest

from tests.image.conftest import name_of_image
from tests.image.containers import LOCKED_DOWN, Job, Start


@pytest.mark.parametrize("target", ["serve", "cpu"])
def test_serves_locked_down(target: str, start: Start, trained: Job, photo: bytes) -> None:
    """Given nothing but /tmp to write to, no user of its own, no /dev/shm, no network -> the server answers."""
    options = (*LOCKED_DOWN, *trained.model_mounted())
    container = start("serve", image=name_of_image(target), options=options)
    container.wait_for_ping()
    assert container.ask("/invocations", photo).status == 200


def test_trains_locked_down(trained: Job) -> None:
    """Given the same, and /opt/ml -> the job ended well as that user, and its model is complete."""
    assert trained.exit_code == 0, trained.log
    assert owner(trained.opt_ml / "model" / "1" / "saved_model.pb") == (41234, 41234)
    assert owner(trained.opt_ml / "output" / "data" / "metrics.json") == (41234, 41234)


def owner(path: Path) -> tuple[int, int]:
    """Return the user and the group of a file."""
    found = path.stat()
    return found.st_uid, found.st_gid
