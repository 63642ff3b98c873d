"""One dense layer on features, trained in NumPy as the job's loop trains it.

A trial of a search takes a fraction of a second, and building and tracing TensorFlow's step takes longer than that.
Equal to the loop up to rounding, except that NumPy draws other dropout masks from the same distribution.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.training.data.batches import permutation
from image_classifier.training.loop import learning_rates
from image_classifier.training.recipes import update_rules

Array = NDArray[np.float32]

_ROWS_AT_ONCE = 4096
_DRAWN_VALUES = 2**16
"""A feature is dropped when a 16-bit draw is below the rate: SFC64 gives four of these a number."""


@dataclass(frozen=True)
class LabelledFeatures:
    """What a head is trained and judged on."""

    features: NDArray[np.float32]
    """(n, features); may be mapped from a file."""
    labels: NDArray[np.int64]
    """(n,), from 0."""


class HeadTrainer:
    """A dense layer with its optimizer, for one set of hyperparameters."""

    def __init__(self, start: Array, values: Hyperparameters, class_weights: Array, rows: NDArray[np.int64]) -> None:
        """Take weights `start` (features + 1, outputs), the bias last, and the rows to train on (n,).

        There are as many outputs as `class_weights` (K,), or one in binary mode.
        """
        self.weights, self._values, self._rows = start.copy(), values, rows
        self._gradient = np.empty_like(start)
        self._rule = update_rules.build(values, start)
        self._targets = _targets(values, len(class_weights))
        self._class_weights = class_weights[:, np.newaxis].astype(np.float32)
        self._step, self._steps = 0, values.epochs * math.ceil(len(rows) / values.batch_size)

    def run_epoch(self, data: LabelledFeatures, epoch: int) -> bool:
        """Train on every row once, in the loop's order of epoch `epoch` (from 0); return whether the loss is finite."""
        size = self._values.batch_size
        order = self._rows[permutation(len(self._rows), self._values.random_seed, epoch)]
        draws = np.random.SFC64((self._values.random_seed, epoch))
        # Weights that diverge overflow before anything is checked.
        with np.errstate(all="ignore"):
            for first in range(0, len(order), size):
                rows = order[first : first + size]
                self._train(data.features[rows], data.labels[rows], draws)
            penalty = np.float32(self._values.regularizers_l2) * np.square(self.weights[:-1]).sum()
        return bool(np.isfinite(penalty) and np.isfinite(self.weights).all())

    def probabilities(self, data: LabelledFeatures, rows: NDArray[np.int64]) -> Array:
        """Return the probabilities of some rows, float32 (n, K), or (n, 1) in binary mode."""
        parts = [rows[first : first + _ROWS_AT_ONCE] for first in range(0, len(rows), _ROWS_AT_ONCE)]
        with np.errstate(all="ignore"):
            return np.concatenate([self._activate(self._logits(data.features[part])) for part in parts])

    def _train(self, features: Array, labels: NDArray[np.int64], draws: np.random.SFC64) -> None:
        values, gradient = self._values, self._gradient
        scale = 1.0
        if values.dropout_rate:
            features *= _kept(features.shape, values.dropout_rate, draws)
            scale = 1 / (1 - values.dropout_rate)
        errors = self._activate(self._logits(features, scale))
        errors -= self._targets[labels]
        errors *= self._class_weights[labels] / len(labels)
        errors.sum(axis=0, out=gradient[-1])
        errors *= scale
        np.matmul(features.T, errors, out=gradient[:-1])
        if values.regularizers_l2:
            gradient[:-1] += self.weights[:-1] * (2 * values.regularizers_l2)
        if values.gradient_clip_norm:
            gradient *= values.gradient_clip_norm / max(float(np.linalg.norm(gradient)), values.gradient_clip_norm)
        rate = learning_rates.rate(values, self._step, self._steps)
        self._rule.update(self.weights, gradient, rate)
        self._step += 1

    def _logits(self, features: Array, scale: float = 1.0) -> Array:
        logits: Array = features @ self.weights[:-1]
        logits *= scale
        logits += self.weights[-1]
        return logits

    def _activate(self, logits: Array) -> Array:
        """Return softmax or, in binary mode, the sigmoid; in place."""
        if self._values.binary_mode:
            np.negative(logits, out=logits)
            np.exp(logits, out=logits)
            logits += 1
            return np.reciprocal(logits, out=logits)
        logits -= logits.max(axis=1, keepdims=True)
        np.exp(logits, out=logits)
        logits /= logits.sum(axis=1, keepdims=True)
        return logits


def _targets(values: Hyperparameters, classes: int) -> Array:
    """Return the smoothed targets of each class, float32 (classes, outputs), see `classifier.build_loss`."""
    smoothing = values.label_smoothing
    if values.binary_mode:
        return np.array([[smoothing / 2], [1 - smoothing / 2]], np.float32)
    return (np.eye(classes) * (1 - smoothing) + smoothing / classes).astype(np.float32)


def _kept(shape: tuple[int, ...], rate: float, draws: np.random.SFC64) -> NDArray[np.bool_]:
    count = math.prod(shape)
    drawn = draws.random_raw(math.ceil(count / 4)).view(np.uint16)[:count]
    return drawn.reshape(shape) >= round(rate * _DRAWN_VALUES)
