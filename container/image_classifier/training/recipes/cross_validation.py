"""Cross-validation of linear heads (minimal version)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_classifier.training.recipes import linear_head
from image_classifier.training.recipes.linear_head import LinearHead


@dataclass(frozen=True)
class Score:
    """Out-of-fold score."""

    accuracy: float
    standard_error: float
    log_loss: float


@dataclass(frozen=True)
class Selection:
    """Result of a cross-validation."""

    head: LinearHead
    strength: float
    out_of_fold: NDArray[np.float32]
    scores: Mapping[float, Score]
    folds: int


def select(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    classes: int,
    seed: int,
    *,
    binary: bool = False,
    sample_weights: NDArray[np.float32] | None = None,
    earlier: LinearHead | None = None,
    extra: Sequence[NDArray[np.float32]] = (),
    check: Callable[[], None] = lambda: None,
) -> Selection:
    """Choose C by cross-validation."""
    from sklearn.model_selection import StratifiedKFold

    folds = max(2, min(5, int(np.bincount(labels, minlength=classes).min())))
    scores, outs = {}, {}
    for strength in (0.001, 0.01, 0.1, 1.0):
        out = np.zeros((len(labels), 1 if binary else classes), np.float32)
        for train, held in StratifiedKFold(folds, shuffle=True, random_state=seed % 2**31).split(features, labels):
            check()
            weights = None if sample_weights is None else sample_weights[train]
            head = linear_head.fit(
                features[train], labels[train], classes, strength, binary=binary, sample_weights=weights
            )
            out[held] = head.probabilities(features[held])
        predicted = (out[:, 0] >= 0.5) if binary else out.argmax(axis=1)
        right = (predicted == labels).mean()
        scores[strength] = Score(float(right), float(np.sqrt(right * (1 - right) / len(labels))), 0.0)
        outs[strength] = out
    best = max(scores, key=lambda strength: scores[strength].accuracy)
    head = linear_head.fit(features, labels, classes, best, binary=binary, sample_weights=sample_weights)
    return Selection(head, best, outs[best], scores, folds)
