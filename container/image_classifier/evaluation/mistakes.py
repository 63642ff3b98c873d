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
    """Find the mistakes of a split that has probabilities; `limit` bounds the two lists of rows.

    Raises:
        ValueError: The split has no probabilities.
    """
    predicted = split.predicted
    assert split.probabilities is not None
    best_two = -np.partition(-split.probabilities, 1, axis=1)[:, :2]
    certain = np.argsort(-best_two[:, 0], kind="stable")
    wrong = certain[predicted[certain] != split.labels[certain]]
    leads = best_two[:, 0] - best_two[:, 1]
    return Mistakes(
        matrix=confusion_matrix(split, classes),
        confusions=_confusions(split.labels[wrong], predicted[wrong], wrong),
        confidently_wrong=tuple(wrong[:limit].tolist()),
        most_uncertain=tuple(np.argsort(leads, kind="stable")[:limit].tolist()),
    )


def confusion_matrix(split: Split, classes: int) -> NDArray[np.int64]:
    """Return the number of images (K, K) by label (row) and answer (column) of a split that has probabilities."""
    cells = np.bincount(split.labels * classes + split.predicted, minlength=classes * classes)
    return cells.reshape(classes, classes)


def _confusions(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], rows: NDArray[np.int64]
) -> tuple[Confusion, ...]:
    cells: dict[tuple[int, int], list[int]] = {}
    for label, answer, row in zip(labels.tolist(), predicted.tolist(), rows.tolist(), strict=True):
        cells.setdefault((label, answer), []).append(row)
    ordered = sorted(cells.items(), key=lambda item: (-len(item[1]), item[0]))
    return tuple(Confusion(label, answer, tuple(found)) for (label, answer), found in ordered)
