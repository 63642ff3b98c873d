"""Mistakes: the confusion matrix with its images, and the images that are worth looking at first."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_classifier.evaluation.evidence import Split


@dataclass(frozen=True)
class Confusion:
    """Two classes that are confused, in one direction."""

    label: int
    predicted: int
    rows: tuple[int, ...]
    """Of the split, the most certain mistake first."""


@dataclass(frozen=True)
class Mistakes:
    """What went wrong on a split."""

    matrix: NDArray[np.int64]
    """(K, K): rows are labels, columns are answers."""
    confusions: tuple[Confusion, ...]
    """All off-diagonal cells that are not empty, the most frequent first."""
    confidently_wrong: tuple[int, ...]
    """Rows of mistakes, the most certain first."""
    most_uncertain: tuple[int, ...]
    """Rows with the smallest lead of the best over the second-best class, the smallest first."""


def find(split: Split, classes: int, limit: int = 24) -> Mistakes:
    """Find the mistakes of a split that has probabilities; `limit` bounds the two lists of rows."""
    raise NotImplementedError
