"""Stages of a recipe on disk: read again, one lost when the newest checkpoint is corrupt, rejected for another job."""

from pathlib import Path

import numpy as np
import pytest

from image_classifier.contract.errors import UserError
from image_classifier.training.checkpoints.store import Checkpoints
from image_classifier.training.loop.fitting import Session
from image_classifier.training.recipes.stage_store import Stage, StageStore


def store(folder: Path, job: str = "this") -> StageStore:
    """Open the store as a new process of a job would."""
    return StageStore(Session(checkpoints=Checkpoints(folder, {"job": job})))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint folder with two finished stages."""
    written = store(tmp_path)
    written.put("head", Stage({"strength": 0.5}, {"kernel": np.eye(2, dtype=np.float32)}))
    written.on_chief("refit", lambda: Stage({}, {"kernel": np.ones(3, np.float32)}))
    return tmp_path


def test_stages_are_read_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two stages written -> a new process reads both to the bit, says so, and computes neither."""
    found = store(folder)
    assert capsys.readouterr().out == "Resuming from a checkpoint: finished before: head, refit.\n"
    head = found.on_chief("head", lambda: pytest.fail("computed again"))
    assert head.state == {"strength": 0.5}
    np.testing.assert_array_equal(head.arrays["kernel"], np.eye(2))
    assert found.get("tuning") is None


def test_corrupt_checkpoint_costs_one_stage(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The newest checkpoint truncated -> it is named and skipped, and the stage before is still there."""
    [newest] = folder.glob("checkpoint-*-step-2")
    (newest / "refit.npz").write_bytes(b"")
    found = store(folder)
    assert f"Skipping corrupt checkpoint {newest.name}" in capsys.readouterr().out
    assert found.get("head")
    assert found.get("refit") is None


def test_stages_of_another_job_are_rejected(folder: Path) -> None:
    """Another job in the same folder -> rejected with what differs."""
    with pytest.raises(UserError, match='job was "this" and is now "other"'):
        store(folder, "other")


def test_without_a_folder_stages_are_kept_in_memory() -> None:
    """No checkpoint folder -> a stage is computed once."""
    found = StageStore(Session())
    first = found.on_chief("head", lambda: Stage({"number": 1}, {}))
    assert found.on_chief("head", lambda: Stage({"number": 2}, {})) == first
