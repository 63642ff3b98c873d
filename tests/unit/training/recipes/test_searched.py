"""recipe=search as a whole: features, trials, and a training with the best of their values."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from image_classifier.contract import hyperparameters
from image_classifier.training.data.splits import DataSplits
from image_classifier.training.model import backbone
from image_classifier.training.stopping import MARGIN_SECONDS, StopSignal
from tests.support.waiting import wait_until

Reader = Callable[..., DataSplits]


def train(
    data: DataSplits, folder: Path, checkpoints: Path | None = None, stop: StopSignal | None = None, **given: Any
) -> Any:
    """Load a backbone and train on it as a job with recipe=search does."""
    from image_classifier.training.recipes import searched

    settings = hyperparameters.parse({"recipe": "search", "search_trials": 4, "batch_size": 8, **given})
    loaded = backbone.load(folder, trainable=False, trust=False)
    stop = stop or StopSignal()
    return searched.train(data, loaded, settings.values, stop, None, checkpoints, sources=settings.sources)


def test_conditions_that_end_a_search() -> None:
    """A stop, half of the time left spent, or none of them -> the reason, which the log gives."""
    from image_classifier.training.distributed.cluster import single_host
    from image_classifier.training.loop.fitting import Session
    from image_classifier.training.recipes import searched

    def condition(stop: StopSignal) -> Callable[[], str]:
        return searched.stop_condition(Session(stop, single_host(), None), 30)

    unlimited = StopSignal()
    ends = condition(unlimited)
    assert ends() == ""
    unlimited.set()
    assert ends() == "a stop was requested (SIGTERM)"
    assert condition(StopSignal(3600, time.monotonic()))() == ""
    soon = condition(StopSignal(MARGIN_SECONDS + 0.2, time.monotonic()))
    wait_until(lambda: bool(soon()), 5, "the end of the search")
    assert soon().startswith("half of the time that max_runtime=30 left is over")


def test_best_values_are_those_of_the_training(images: Path, backbone_folder: Path, read_data: Reader) -> None:
    """Four trials -> the job trains a head with the best of them, keeps given values, and has a row for each trial."""
    trained = train(read_data(images), backbone_folder, optimizer="sgd")
    best = trained.recipe["best_values"]
    assert trained.recipe["trials"] == 4
    assert {name: getattr(trained.values, name) for name in best} == best
    assert trained.values.optimizer == "sgd"
    assert "optimizer" not in best
    assert trained.values.train_only_top_layer
    assert len(trained.history.epochs) == trained.values.epochs
    [table] = trained.tables
    assert (table.name, len(table.rows)) == ("search.csv", 4)


@pytest.mark.every
def test_search_leaves_time_for_the_training(
    images: Path, backbone_folder: Path, read_data: Reader, capsys: pytest.CaptureFixture[str]
) -> None:
    """More trials than max_runtime allows -> the search ends at half of what it leaves, and a head is trained."""
    stop = StopSignal(MARGIN_SECONDS + 12, time.monotonic())
    trained = train(read_data(images), backbone_folder, stop=stop, search_trials=10_000, max_runtime=22)
    assert trained.recipe["stopped"]
    assert 0 < trained.recipe["trials"] < 10_000
    assert trained.history.epochs
    assert "since half of the time that max_runtime=22 left is over" in capsys.readouterr().out


@pytest.mark.every
def test_search_that_is_repeated_reads_its_trials(
    images: Path, tmp_path: Path, backbone_folder: Path, read_data: Reader
) -> None:
    """The same job twice in one checkpoint folder -> the second has the trials and weights of the first."""
    data, folder = read_data(images), tmp_path / "checkpoints"
    first, second = (train(data, backbone_folder, folder, epochs=3) for _ in range(2))
    assert first.recipe == second.recipe
    for ours, others in zip(first.weights, second.weights, strict=True):
        np.testing.assert_array_equal(ours, others)
