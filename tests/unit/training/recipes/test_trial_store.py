"""The file of finished trials."""

from pathlib import Path

import pytest

from image_classifier.training.recipes import trial, trial_store
from image_classifier.training.recipes.trial_store import TrialStore
from tests.unit.training.recipes.searching import finished

TRIALS = [finished(0, [0.5, 0.625]), finished(1, [0.25], trial.PRUNED, optimizer="sgd", learning_rate=0.0123)]


def test_trials_are_read_as_they_were_written(tmp_path: Path) -> None:
    """Given two trials -> equal ones are read; after a third is added, three, and no other file."""
    store = TrialStore(tmp_path / "checkpoints", "one search")
    assert store.read() == []
    store.write(TRIALS)
    assert store.read() == TRIALS
    store.write([*TRIALS, finished(2, [], trial.DIVERGED)])
    assert store.read()[2].score is None
    assert [path.name for path in store.folder.iterdir()] == [trial_store.NAME]


def test_trials_of_another_search_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given a file of other data -> no trial, and the log says so."""
    TrialStore(tmp_path, "one search").write(TRIALS)
    assert TrialStore(tmp_path, "another").read() == []
    assert "of other data or hyperparameters; searching from scratch" in capsys.readouterr().out


@pytest.mark.parametrize("keep", [0, 40, 200, -1], ids=["empty", "checksum cut", "trials cut", "last byte missing"])
def test_corrupt_file_is_noticed(tmp_path: Path, keep: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Given a truncated file -> no trial, and the log says so."""
    store = TrialStore(tmp_path, "one search")
    store.write(TRIALS)
    path = tmp_path / trial_store.NAME
    path.write_bytes(path.read_bytes()[:keep])
    assert store.read() == []
    assert "corrupt; searching from scratch" in capsys.readouterr().out


def test_file_that_cannot_be_read_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given a folder of the file's name -> no trial, and the log says why."""
    (tmp_path / trial_store.NAME).mkdir()
    assert TrialStore(tmp_path, "one search").read() == []
    assert "Is a directory" in capsys.readouterr().out
