"""Training in NumPy against the job's own loop, and what the loop cannot show."""

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from image_classifier.training.data.batches import Rows
from image_classifier.training.loop.fitting import Session, fit
from image_classifier.training.model import classifier
from image_classifier.training.model.classifier import Network
from image_classifier.training.recipes import head_trainer
from image_classifier.training.recipes.head_trainer import HeadTrainer, LabelledFeatures
from tests.unit.training import small

COUNT, FEATURES = 45, 9


def overlapping(classes: int) -> LabelledFeatures:
    """Return features of classes that overlap, so that no epoch is perfect and gradients stay large."""
    random = np.random.default_rng(0)
    labels = random.integers(0, classes, COUNT)
    return LabelledFeatures((random.normal(size=(COUNT, FEATURES)) + 0.5 * labels[:, None]).astype(np.float32), labels)


def joined(weights: Any) -> NDArray[np.float32]:
    """Return kernel and bias as one array."""
    kernel, bias = weights
    return np.concatenate([kernel, bias[np.newaxis]])


@pytest.mark.parametrize("binary", [False, True], ids=["softmax", "sigmoid"])
def test_weights_are_those_of_the_loop(binary: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given everything that a head's training can be given, and the loop's dropout masks -> the loop's weights."""
    values = small.settings(
        binary_mode=binary,
        epochs=3,
        batch_size=7,
        dropout_rate=0.4,
        learning_rate=0.01,
        learning_rate_schedule="cosine",
        warmup_fraction=0.3,
        class_weights='{"a": 3}',
        regularizers_l2=0.01,
        gradient_clip_norm=0.5,
        train_only_top_layer=True,
    )
    names = ("a", "b", "c")[: 2 if binary else 3]
    data, rows = overlapping(len(names)), np.arange(COUNT)
    head = classifier.build_head(values, FEATURES, len(names))
    start = joined(head.get_weights())
    inputs = Rows(data.features, data.labels)
    history = fit(Network(head), values, inputs, inputs, names, Session())
    step = itertools.count()

    def mask(shape: tuple[int, int], rate: float, draws: object) -> NDArray[np.bool_]:
        positions = np.arange(shape[0], dtype=np.int32)
        return np.asarray(classifier.dropout_mask(values, shape[1], positions, next(step))) > 0

    monkeypatch.setattr(head_trainer, "_kept", mask)
    trainer = HeadTrainer(start, values, np.array([3, 1, 1][: len(names)], np.float32), rows)
    for epoch in range((history.best_epoch or 0) + 1):
        assert trainer.run_epoch(data, epoch)
    expected = joined(history.weights)
    assert np.abs(expected - start).max() > 0.01
    np.testing.assert_allclose(trainer.weights, expected, atol=2e-6, rtol=1e-5)


def test_dropout_keeps_the_rest_of_the_features() -> None:
    """Given a rate of 0.3 -> that share of the draws is dropped, differently in each epoch, equally for equal seeds."""
    first, again, other = (
        head_trainer._kept((500, 9), 0.3, np.random.SFC64(seed)) for seed in ((1, 0), (1, 0), (1, 1))
    )
    assert first.mean() == pytest.approx(0.7, abs=0.03)
    assert (first == again).all()
    assert (first != other).any()


def test_divergence_is_reported() -> None:
    """Given features that overflow -> an epoch says that the loss is not finite, without a warning."""
    values = small.settings(batch_size=4)
    data = LabelledFeatures(np.full((COUNT, FEATURES), 3e38, np.float32), overlapping(3).labels)
    trainer = HeadTrainer(np.ones((FEATURES + 1, 3), np.float32), values, np.ones(3, np.float32), np.arange(COUNT))
    assert not trainer.run_epoch(data, 0)


def test_only_the_given_rows_are_trained_on() -> None:
    """Given rows to train on -> the features of the others have no influence on the weights."""
    values, data = small.settings(batch_size=4), overlapping(3)
    changed = LabelledFeatures(data.features.copy(), data.labels)
    changed.features[30:] = 1e6
    trained = []
    for one in (data, changed):
        trainer = HeadTrainer(np.zeros((FEATURES + 1, 3), np.float32), values, np.ones(3, np.float32), np.arange(30))
        trainer.run_epoch(one, 0)
        trained.append(trainer.weights)
    assert (trained[0] == trained[1]).all()
