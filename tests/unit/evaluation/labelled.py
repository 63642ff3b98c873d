"""Labelled splits for tests: from arrays, and drawn from known distributions."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from image_classifier.evaluation.evidence import VALIDATION, Split


def split_of(labels: Sequence[int] | NDArray[np.int64], probabilities: object, name: str = VALIDATION) -> Split:
    """Return a split of files that do not exist."""
    array = np.asarray(probabilities, np.float32)
    files = tuple(f"{index:06}.png" for index in range(len(array)))
    return Split(name, Path("/nonexistent"), files, np.asarray(labels, np.int64), array)


def answers_of(labels: Sequence[int], predicted: Sequence[int], classes: int, confidence: float = 0.8) -> Split:
    """Return a split whose answers all have one confidence."""
    probabilities = np.full((len(labels), classes), (1 - confidence) / (classes - 1))
    probabilities[np.arange(len(labels)), list(predicted)] = confidence
    return split_of(list(labels), probabilities)


def calibrated(count: int, classes: int = 5, temperature: float = 1.0, seed: int = 0) -> Split:
    """Return labels drawn from softmax(logits), with probabilities softmax(logits · temperature).

    Dividing the logits of these probabilities by `temperature` calibrates them; a larger one is overconfident.
    """
    rng = np.random.default_rng(seed)
    logits = 2 * rng.standard_normal((count, classes))
    cumulative = softmax(logits).cumsum(axis=1)
    labels = (rng.random((count, 1)) > cumulative).sum(axis=1).clip(0, classes - 1)
    return split_of(labels, softmax(logits * temperature))


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probabilities of logits (n, K)."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))
