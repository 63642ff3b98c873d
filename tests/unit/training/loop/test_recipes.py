"""Each recipe in a training of the head: the weights that it leaves, against steps computed by hand."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from image_classifier.training.data import batches
from image_classifier.training.data.batches import Rows
from image_classifier.training.loop import fitting
from image_classifier.training.loop.fitting import Session
from image_classifier.training.model import classifier
from tests.unit.training import small
from tests.unit.training.recording import NAMES, OFF, PLAIN, Array, Recorder

COUNTS = (12, 5, 3)


def features() -> Rows:
    """Return feature vectors of classes of unequal sizes."""
    labels = np.repeat(np.arange(3), COUNTS)
    inputs = np.random.default_rng(2).normal(size=(20, 6)) + labels[:, None]
    return Rows(inputs.astype(np.float32), labels)


def train_head(rows: Rows | None = None, names: Sequence[str] = NAMES, **given: Any) -> list[list[Array]]:
    """Train a head on features and return its weights before, and after each epoch of five batches of four rows."""
    rows = rows or features()
    values = small.settings(**PLAIN | {"batch_size": 4, "epochs": 1, "train_only_top_layer": True} | given)
    network = classifier.Network(classifier.build_head(values, 6, len(names)))
    recorder = Recorder(network, values)
    fitting.fit(network, values, rows, rows, names, Session(), evaluator=recorder)
    return recorder.epochs


def by_hand(
    start: list[Array], rates: Sequence[float], weights: Sequence[float] = (1, 1, 1), limit: float = math.inf
) -> list[Array]:
    """Return kernel and bias after an epoch of gradient descent on the class-weighted softmax cross-entropy."""
    rows, (kernel, bias) = features(), start
    for step, chosen in enumerate(np.split(batches.permutation(20, 123, 0), 5)):
        assert isinstance(rows.inputs, np.ndarray)
        inputs, labels = rows.inputs[chosen].astype(np.float64), rows.labels[chosen]
        odds = np.exp(inputs @ kernel + bias)
        error = odds / odds.sum(axis=1, keepdims=True) - np.eye(3)[labels]
        error *= np.array(weights)[labels][:, None] / len(chosen)
        gradients = [inputs.T @ error, error.sum(axis=0)]
        norm = math.sqrt(sum((gradient**2).sum() for gradient in gradients))
        shrink = min(1.0, limit / norm)
        kernel, bias = (one - rates[step] * shrink * by for one, by in zip((kernel, bias), gradients, strict=True))
    return [kernel, bias]


def fifths(*numbers: float) -> list[float]:
    """Return rates as parts of the job's, 0.5."""
    return [0.5 * number for number in numbers]


COSINES = [(1 + math.cos(math.pi * step / 5)) / 2 for step in range(5)]
ALL = fifths(1, 1, 1, 1, 1)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"rates": ALL}),
        (OFF, {"rates": ALL}),
        ({"learning_rate_schedule": "linear"}, {"rates": fifths(1, 0.8, 0.6, 0.4, 0.2)}),
        ({"learning_rate_schedule": "cosine"}, {"rates": fifths(*COSINES)}),
        (
            {"learning_rate_schedule": "linear", "warmup_fraction": 0.6},
            {"rates": fifths(0.25, 0.5, 0.75, 1, 0.5)},
        ),
        ({"class_weights": '{"eel": 3, "cat": 0.5}'}, {"rates": ALL, "weights": (0.5, 1, 3)}),
        ({"class_weights": "auto"}, {"rates": ALL, "weights": (20 / 36, 20 / 15, 20 / 9)}),
        ({"gradient_clip_norm": 0.2}, {"rates": ALL, "limit": 0.2}),
        ({"gradient_clip_norm": 100}, {"rates": ALL}),
        (
            {"class_weights": "auto", "gradient_clip_norm": 0.3, "warmup_fraction": 0.4},
            {"rates": fifths(1 / 3, 2 / 3, 1, 1, 1), "weights": (20 / 36, 20 / 15, 20 / 9), "limit": 0.3},
        ),
    ],
    ids=[
        "nothing given",
        "all off",
        "linear",
        "cosine",
        "warm-up",
        "weights",
        "auto weights",
        "clipped",
        "a limit that is not reached",
        "several",
    ],
)
def test_an_epoch_is_the_one_computed_by_hand(given: dict[str, Any], expected: dict[str, Any]) -> None:
    """A recipe, or all of them off, over five batches -> kernel and bias of the same five steps in NumPy."""
    start, end = train_head(**given)
    for ours, wanted in zip(end, by_hand(start, **expected), strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-4, atol=1e-5)


def test_recipes_that_are_off_change_nothing() -> None:
    """Every recipe set to off, over three epochs -> the weights of training with the defaults, to the bit."""
    for one, other in zip(train_head(epochs=3, **OFF), train_head(epochs=3), strict=True):
        assert all(map(np.array_equal, one, other))


def test_schedule_goes_over_the_whole_job() -> None:
    """Two epochs of a linear schedule, all rows equal -> the second epoch moves the bias by the remaining rate."""
    rows = Rows(np.zeros((20, 6), np.float32), np.zeros(20, np.int64))
    given: dict[str, Any] = {"learning_rate": 1e-4, "learning_rate_schedule": "linear", "epochs": 2}
    start, first, second = (epoch[1][0] for epoch in train_head(rows, **given))
    # Of a bias of about 0 the gradient is 1/3 - 1 throughout; ten steps have 1, 0.9, … 0.1 of the rate.
    assert first - start == pytest.approx(2 / 3 * 1e-4 * 4.0, rel=1e-2)
    assert second - first == pytest.approx(2 / 3 * 1e-4 * 1.5, rel=1e-2)


@pytest.mark.every
def test_class_weights_in_binary_mode() -> None:
    """Weights of two classes with a sigmoid -> the step of the loss weighted by hand, not the unweighted one."""
    rows = Rows(features().inputs, np.repeat([0, 1], [15, 5]))
    given: dict[str, Any] = {"binary_mode": True, "batch_size": 20, "class_weights": '{"dog": 3}'}
    start, end = train_head(rows, NAMES[:2], **given)
    assert isinstance(rows.inputs, np.ndarray)
    error = 1 / (1 + np.exp(-(rows.inputs @ start[0] + start[1]))) - rows.labels[:, None]
    error *= np.where(rows.labels == 1, 3, 1)[:, None] / 20
    np.testing.assert_allclose(start[0] - end[0], 0.5 * rows.inputs.T @ error, rtol=1e-4, atol=1e-6)
    assert not np.allclose(end[0], train_head(rows, NAMES[:2], binary_mode=True, batch_size=20)[1][0])
