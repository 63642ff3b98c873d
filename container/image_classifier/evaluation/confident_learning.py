"""Confident learning: which labels the predictions of heads that did not see the image contradict.

Northcutt, Jiang and Chuang, Confident learning: estimating uncertainty in dataset labels (2021), section 3, by pruning
by noise rate. The result is that of cleanlab 2.9 with its defaults, which the tests compare; cleanlab itself imports
scikit-learn and pandas, which took a job 2.3 CPU seconds.
"""

import numpy as np
from numpy.typing import NDArray

_TOLERANCE = 1e-6
"""Two probabilities that are no further apart count as equal."""
_NEVER = 2.0
"""Threshold of a class without images."""


def contradicted(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (n,): whether the label of an image is probably wrong.

    Of each pair of a given and another class as many images as the joint distribution says, those with the largest
    margin of the other class, but never one whose label is the predicted class.

    Args:
        labels: Class indices (n,).
        probabilities: (n, K), rows that sum to 1.
    """
    counts = np.bincount(labels, minlength=probabilities.shape[1])
    found, wrong = np.zeros(len(labels), bool), _wrong_counts(labels, probabilities, counts)
    for given in np.flatnonzero((counts > 1) & wrong.any(axis=1)).tolist():
        rows = np.flatnonzero(labels == given)
        for other in np.flatnonzero(wrong[given]).tolist():
            margins = probabilities[rows, other] - probabilities[rows, given]
            found[rows[np.argsort(-margins, kind="stable")[: wrong[given, other]]]] = True
    nearly = probabilities.copy()
    nearly[np.arange(len(labels)), labels] += _TOLERANCE
    return np.asarray(found & (nearly.argmax(axis=1) != labels))


def label_quality(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n,): (1 + p(label) - largest p of another class) / 2, in [0, 1]; `probabilities` (n, K), K at least 2."""
    rows, others = np.arange(len(labels)), probabilities.copy()
    others[rows, labels] = -np.inf
    return np.asarray((probabilities[rows, labels] - others.max(axis=1) + 1) / 2)


def _wrong_counts(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], counts: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return (K, K): images of a given class (row) that are of another one (column); 0 in the diagonal."""
    joint = _calibrated(_confident_joint(labels, probabilities, counts), counts)
    # At least one label of each class counts as right: what the diagonal lacks is taken from the rest of the row.
    missing = np.maximum(1 - joint.diagonal(), 0)
    others = np.maximum(np.count_nonzero(joint, axis=1) - 1, 1)
    wrong = np.maximum(joint - (missing / others)[:, np.newaxis], 0).astype(np.int64)
    np.fill_diagonal(wrong, 0)
    return np.asarray(wrong)


def _confident_joint(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], counts: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return (K, K): images by given class and by the class whose mean probability on its own images they reach."""
    classes = len(counts)
    sums = np.bincount(labels, probabilities[np.arange(len(labels)), labels], classes)
    thresholds = np.where(counts > 0, np.maximum(sums / np.maximum(counts, 1), 2 * _TOLERANCE), _NEVER)
    is_confident = probabilities >= thresholds - _TOLERANCE
    candidates = is_confident.sum(axis=1)
    guesses = np.where(candidates > 1, probabilities.argmax(axis=1), is_confident.argmax(axis=1))
    some = candidates > 0
    joint = np.bincount(labels[some] * classes + guesses[some], minlength=classes**2).reshape(classes, classes)
    np.fill_diagonal(joint, np.maximum(joint.diagonal(), 1))
    return joint


def _calibrated(joint: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the joint in which the sum of a row is the number of images with that label."""
    # In cleanlab's order of arithmetic and memory, since its rounding errors decide where to round 1.5.
    scaled = (np.ascontiguousarray(joint.T) / joint.sum(axis=1) * counts).T
    scaled = scaled / scaled.sum() * counts.sum()
    rounded = np.rint(scaled)
    for row, total in enumerate(counts.tolist()):
        while (lacking := round(total - float(rounded[row].sum()))) != 0:
            step = 1 if lacking > 0 else -1
            # Those that rounding changed most.
            order = np.argsort(scaled[row] - rounded[row], kind="stable")[::-step]
            rounded[row, order[: abs(lacking)]] += step
    return np.asarray(rounded, np.int64)
