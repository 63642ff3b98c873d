"""recipe=search as a whole: features, trials, and a training with the best of their values."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from image_classifier.contract import hyperparameters
from image_classifier.training.data.splits import DataSplits
from image_classifier.training.model import backbone
from image_classifier.training.stopping import StopSignal

Reader = Callable[..., DataSplits]


def train(data: DataSplits, folder: Path, checkpoints: Path | None = None, **given: Any) -> Any:
    """Load a backbone and train on it as a job with recipe=search does."""
    from image_classifier.training.recipes import searched

    settings = hyperparameters.parse({"recipe": "search", "search_trials": 4, "batch_size": 8, **given})
    loaded = backbone.load(folder, trainable=False, trust=False)
    return searched.train(data, loaded, settings.values, StopSignal(), None, checkpoints, sources=settings.sources)


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
def test_search_that_is_repeated_reads_its_trials(
    images: Path, tmp_path: Path, backbone_folder: Path, read_data: Reader
) -> None:
    """The same job twice in one checkpoint folder -> the second has the trials and weights of the first."""
    data, folder = read_data(images), tmp_path / "checkpoints"
    first, second = (train(data, backbone_folder, folder, epochs=3) for _ in range(2))
    assert first.recipe == second.recipe
    for ours, others in zip(first.weights, second.weights, strict=True):
        np.testing.assert_array_equal(ours, others)
