"""The sample of validation images on which the exported model is verified."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from image_classifier.class_folders.listing import Example
from image_classifier.class_folders.storage import Storage
from image_classifier.training.data import dataset

LIMIT = 1000


@dataclass(frozen=True)
class ValidationSample:
    """Validation images with their labels and the predictions of training."""

    paths: tuple[Path, ...]
    labels: NDArray[np.int64]
    """(n,) class indices."""
    expected: NDArray[np.float32]
    """(n, K) probabilities of the model in training, or (n, 1) in binary mode."""

    def rows(self, chosen: NDArray[np.int64]) -> "ValidationSample":
        """Return some of them, by their indices."""
        return ValidationSample(tuple(self.paths[row] for row in chosen), self.labels[chosen], self.expected[chosen])

    def readable(self, storage: Storage) -> "ValidationSample":
        """Return those whose files can still be read, after retries: missing images must not cost the model."""
        return self.rows(
            np.array([row for row, path in enumerate(self.paths) if storage.read_if_there(path)], np.int64)
        )

    def evenly_spaced(self, count: int) -> NDArray[np.int64]:
        """Return the indices of at most `count` of them, evenly spread, as they are in the order of their classes."""
        count = min(count, len(self.paths))
        return np.linspace(0, len(self.paths) - 1, count).round().astype(np.int64)


def choose(examples: Sequence[Example], probabilities: NDArray[np.float32], seed: int) -> ValidationSample:
    """Choose at most `LIMIT` of the validation's examples by seed, in their order, whose files the first host has.

    `probabilities` are those of all examples, (n, K) or (n, 1).
    """
    here = [index for index, example in enumerate(examples) if example.owner in (None, 0)]
    count = min(len(here), LIMIT)
    chosen = np.sort(np.random.default_rng(seed).choice(np.array(here, np.int64), count, replace=False))
    whole = ValidationSample(
        tuple(example.path for example in examples),
        dataset.labels(examples),
        probabilities,
    )
    return whole.rows(chosen)
