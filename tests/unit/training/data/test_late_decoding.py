"""The whole network's images are decoded while it trains; corrupt ones are met then. Fault 23 of the faults."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from image_classifier.class_folders.listing import Example
from image_classifier.contract.errors import UserError
from image_classifier.training.data.splits import DataSplits
from image_classifier.training.model import backbone
from image_classifier.training.stopping import StopSignal
from tests.unit.training import small

Reader = Callable[..., DataSplits]


def train(data: DataSplits, folder: Path, **given: Any) -> Any:
    """Train the whole small network."""
    from image_classifier.training import fine_tuning

    values = small.settings(batch_size=8, train_only_top_layer=False, epochs=1, **given)
    return fine_tuning.train(data, backbone.load(folder, trainable=True, trust=False), values, StopSignal())


def damage(examples: Sequence[Example]) -> set[Path]:
    """Cut files short; returns their paths."""
    for example in examples:
        example.path.write_bytes(example.path.read_bytes()[:40])
    return {example.path for example in examples}


def test_damaged_images_are_left_out_of_training_and_scores(
    images: Path, backbone_folder: Path, read_data: Reader
) -> None:
    """Three corrupt files on each side, 8 in a batch -> left out of both parts, named, and the scores have no gap."""
    data = read_data(images)
    gone = damage(data.training.examples[:3]) | damage(data.validation.examples[4:7])
    trained = train(data, backbone_folder, max_bad_fraction=0.2)
    assert {item.path for item in trained.skipped} == gone
    assert trained.training.examples == data.training.examples[3:]
    assert trained.validation.examples == (*data.validation.examples[:4], *data.validation.examples[7:])
    labels = np.array([example.label for example in trained.validation.examples])
    accuracy = (trained.probabilities.argmax(axis=1) == labels).mean()
    assert accuracy == pytest.approx(trained.history.best["val_accuracy"])


@pytest.mark.every
def test_damaged_images_are_remembered_by_a_checkpoint(
    images: Path, backbone_folder: Path, read_data: Reader, tmp_path: Path
) -> None:
    """A job that had ended, started again -> nothing is read any more, and the same images are named with reasons."""
    from image_classifier.training import fine_tuning

    data, values = read_data(images), small.settings(batch_size=8, train_only_top_layer=False, epochs=1)
    damage([data.training.examples[2], data.validation.examples[5]])
    (tmp_path / "checkpoints").mkdir()
    both = []
    for _ in range(2):
        loaded = backbone.load(backbone_folder, trainable=True, trust=False)
        both.append(fine_tuning.train(data, loaded, values, StopSignal(), checkpoints_dir=tmp_path / "checkpoints"))
    first, second = both
    assert len(second.skipped) == 2
    assert first.skipped == second.skipped
    assert first.training.examples == second.training.examples
    assert first.history.epochs == second.history.epochs


@pytest.mark.parametrize("all_of_them", [False, True], ids=["some", "all"])
def test_too_many_damaged_images_end_the_first_epoch(
    images: Path, backbone_folder: Path, read_data: Reader, all_of_them: bool
) -> None:
    """More corrupt files than max_bad_fraction allows, or no other -> the job's error with the count and the limit."""
    data = read_data(images)
    count = len(damage(data.training.examples[: None if all_of_them else 12]))
    with pytest.raises(UserError, match=rf"{count} of 60 images .* max_bad_fraction=0\.1"):
        train(data, backbone_folder, max_bad_fraction=0.1)


def test_class_that_lost_its_images_is_rejected(images: Path, backbone_folder: Path, read_data: Reader) -> None:
    """Every training image of one class corrupt, and that many allowed -> rejected with the class's name."""
    data = read_data(images)
    damage([example for example in data.training.examples if example.label == 1])
    with pytest.raises(UserError, match="No image of colour-1 is readable"):
        train(data, backbone_folder, max_bad_fraction=0.9)


def test_no_image_is_read_before_the_first_batch(images: Path, backbone_folder: Path, read_data: Reader) -> None:
    """Corrupt images alone, made ready for the whole network -> none was met; asked for -> all were, and no batch."""
    from image_classifier.training import preparation
    from image_classifier.training.data import batches
    from image_classifier.training.distributed import cluster
    from image_classifier.training.loop import fitting

    data, values = read_data(images), small.settings(batch_size=8, train_only_top_layer=False)
    loaded = backbone.load(backbone_folder, trainable=True, trust=False)
    gone = damage(data.training.examples)
    prepared = preparation.prepare_function(loaded, values, fitting.Session(), None)(data.training, "Training")
    alone = cluster.single_host()
    assert not any(prepared.skipped(alone))
    assert not any(len(batch.labels) for batch in batches.epoch_batches(prepared.rows, values, alone, 0))
    assert {one.path for one in prepared.skipped(alone)} == gone
    assert prepared.without(prepared.skipped(alone)).examples == ()
