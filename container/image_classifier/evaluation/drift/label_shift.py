"""Label shift: how frequent the classes are in production, estimated from predictions without any label."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_classifier.evaluation.statistics import Interval

WORST_CONDITION = 100.0
"""Condition number of the confusion matrix above which the estimate would be noise."""
MOST_CLASSES = 300
"""Classes above which nothing is estimated: 200 take 1.5 s with their intervals, 1,000 minutes."""
_RESAMPLES = 200


@dataclass(frozen=True)
class ClassShare:
    """How frequent one class is."""

    name: str
    baseline: float
    """Share of the labels of the judged images."""
    estimated: float
    """Share of the labels in production."""
    interval: Interval
    """Of `estimated`, by bootstrap over both samples with a fixed seed."""


@dataclass(frozen=True)
class LabelShift:
    """The estimate for all classes. It holds if only the frequency of the classes changed, not how each looks."""

    classes: tuple[ClassShare, ...]
    """In class order."""
    accuracy: float
    """Accuracy on the judged images."""
    expected_accuracy: float
    """Accuracy in production, if each class is recognised as well as before."""


def estimate(
    confusion: NDArray[np.int64], predicted: NDArray[np.int64], class_names: tuple[str, ...], seed: int = 0
) -> LabelShift | None:
    """Estimate the class frequencies; None if the confusion matrix does not determine them, or of too many classes.

    Lipton, Wang and Smola, Detecting and correcting for label shift with black box predictors (2018), solved with
    non-negative shares that sum to one.

    Args:
        confusion: (K, K): rows are labels, columns are answers.
        predicted: (K,): how often production's predictions name each class.
        class_names: In class order.
        seed: Of the bootstrap.
    """
    images = confusion.sum(axis=1)
    if not images.all() or not predicted.sum() or len(confusion) > MOST_CLASSES:
        return None
    rates = confusion / images[:, None]
    if np.linalg.cond(rates) > WORST_CONDITION:
        return None
    shares = _solve(rates, predicted / predicted.sum())
    random = np.random.default_rng(seed)
    drawn = np.stack([_resampled(rates, images, predicted, random) for _ in range(_RESAMPLES)])
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    recalls, before = rates.diagonal(), (images / images.sum()).tolist()
    intervals = map(Interval, low.tolist(), high.tolist())
    return LabelShift(
        classes=tuple(map(ClassShare, class_names, before, shares.tolist(), intervals)),
        accuracy=float(confusion.trace() / confusion.sum()),
        expected_accuracy=float(shares @ recalls),
    )


def _solve(rates: NDArray[np.float64], answers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the shares q, at least 0 and with sum 1, for which q · rates is closest to the answers (K,)."""
    from scipy.optimize import nnls

    # A heavily weighted equation keeps the sum at 1.
    weight = 100.0
    matrix = np.vstack([rates.T, np.full(len(rates), weight)])
    found, _ = nnls(matrix, np.append(answers, weight))
    solved: NDArray[np.float64] = found / found.sum()
    return solved


def _resampled(
    rates: NDArray[np.float64], images: NDArray[np.int64], predicted: NDArray[np.int64], random: np.random.Generator
) -> NDArray[np.float64]:
    total = int(predicted.sum())
    answers = random.multinomial(total, predicted / total) / total
    drawn = np.stack([random.multinomial(int(n), row) / n for n, row in zip(images, rates, strict=True)])
    return _solve(drawn, answers)
