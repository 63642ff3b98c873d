"""The parts that are trained: head, dropout, loss."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.unit.training import small


def test_dropout_depends_on_seed_step_and_position_alone() -> None:
    """The masks of a batch's halves -> parts of the whole batch's mask; another step or seed -> another mask."""
    from image_classifier.training.model import classifier

    def mask(positions: Sequence[int], step: int = 3, seed: int = 123) -> Any:
        values = small.settings(batch_size=8, dropout_rate=0.25, random_seed=seed)
        found = classifier.dropout_mask(values, 500, tf.constant(positions, tf.int32), tf.constant(step, tf.int32))
        return found.numpy()

    whole = mask(range(8))
    assert np.array_equal(whole, np.concatenate([mask(range(4)), mask(range(4, 8))]))
    assert set(np.unique(whole)) == {0.0, np.float32(1 / 0.75)}
    assert (whole == 0).mean() == pytest.approx(0.25, abs=0.03)
    assert not np.array_equal(whole, mask(range(8), step=4))
    assert not np.array_equal(whole, mask(range(8), seed=124))
    assert classifier.dropout_mask(small.settings(dropout_rate=0.0), 500, tf.constant([0]), tf.constant(0)) is None


def test_label_smoothing_moves_the_targets() -> None:
    """Smoothing 0.3 with three classes -> the loss of targets 0.8, 0.1, 0.1; binary: 0.85 and 0.15."""
    from image_classifier.training.model import classifier

    logits = np.array([[2.0, 0.5, -1.0]], np.float32)
    loss = float(classifier.build_loss(small.settings(label_smoothing=0.3))(np.eye(3, dtype=np.float32)[:1], logits))
    log_share = logits[0] - math.log(np.exp(logits[0]).sum())
    assert loss == pytest.approx(-(0.8 * log_share[0] + 0.1 * log_share[1] + 0.1 * log_share[2]), rel=1e-5)
    binary = classifier.build_loss(small.settings(label_smoothing=0.3, binary_mode=True))
    expected = -(0.85 * math.log(0.7) + 0.15 * math.log(0.3))
    assert float(binary(np.array([[1.0]], np.float32), np.array([[0.7]], np.float32))) == pytest.approx(expected)


def test_penalty_acts_on_the_kernel_alone() -> None:
    """Weights and bias of one -> the head's penalty is the factor times the kernel's squares, without the bias."""
    from image_classifier.training.model import classifier

    head = classifier.build_head(small.settings(regularizers_l2=0.5), 4, 3)
    head.set_weights([np.ones((4, 3)), np.full(3, 7.0)])
    assert [float(loss) for loss in head.losses] == [pytest.approx(0.5 * 12)]


def test_metrics_of_binary_mode_decide_as_the_server_does() -> None:
    """Probabilities of 0.5 and just below it, of both classes -> 0.5 counts as class 1, the other as class 0."""
    from image_classifier.training.model import classifier

    below = np.nextafter(np.float32(0.5), np.float32(0))
    probabilities = np.array([[0.5], [0.5], [0.5], [below], [below]], np.float32)
    targets = np.array([[1], [1], [0], [0], [1]], np.float32)
    found = {}
    for metric in classifier.build_metrics(small.settings(binary_mode=True), 2):
        metric.update_state(targets, probabilities)
        found[metric.name] = float(metric.result())
    counts = ("true_positives", "false_positives", "true_negatives", "false_negatives")
    assert [found[name] for name in counts] == [2, 1, 1, 1]
    assert [found[name] for name in ("accuracy", "precision", "recall")] == pytest.approx([3 / 5, 2 / 3, 2 / 3])
