"""Curves of a score for two classes over all of its thresholds: ROC, and precision against recall.

The points are those of scikit-learn, which takes longer to import than all of them take to compute.
"""

import numpy as np
from numpy.typing import NDArray

_Points = NDArray[np.float64]


def roc(positives: NDArray[np.bool_], scores: NDArray[np.float32]) -> tuple[_Points, _Points]:
    """Return false and true positive rates (m,), ascending from 0 to 1, without points on a straight line.

    `positives` (n,) has both values, and a larger one of `scores` (n,) means positive.
    """
    false, true = _counts(positives, scores)
    kept = np.ones(len(true), bool)
    kept[1:-1] = (np.diff(false, 2) != 0) | (np.diff(true, 2) != 0)
    false, true = (np.concatenate([[0], counts[kept]]) for counts in (false, true))
    return false / false[-1], true / true[-1]


def area(positives: NDArray[np.bool_], scores: NDArray[np.float32]) -> float:
    """Return the area under the ROC curve, see `roc`."""
    false_rates, true_rates = roc(positives, scores)
    return float(np.trapezoid(true_rates, false_rates))


def precision_recall(positives: NDArray[np.bool_], scores: NDArray[np.float32]) -> tuple[_Points, _Points]:
    """Return precisions and recalls (m,) by ascending recall, from a recall of 0 and a precision of 1 on; see `roc`.

    Thresholds at which only false positives are added are left out but for the first and the last.
    """
    false, true = _counts(positives, scores)
    kept = np.ones(len(true), bool)
    kept[1:-1] = (np.diff(true)[:-1] != 0) | (np.diff(true)[1:] != 0)
    precisions, recalls = (true / (true + false))[kept], (true / true[-1])[kept]
    return np.concatenate([[1.0], precisions]), np.concatenate([[0.0], recalls])


def _counts(positives: NDArray[np.bool_], scores: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return false and true positives at each distinct score, the largest first."""
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    true = np.cumsum(positives[order], dtype=np.int64)[last]
    return last + 1 - true, true
