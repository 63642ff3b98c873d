"""Heads on features, fitted for the report: predictions for training images, and the learning curve.

`heads` needs SciPy, which is imported by the jobs that fit heads.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from image_classifier.evaluation.evidence import LearningPoint
from image_classifier.evaluation.statistics import Proportion
from image_classifier.inference.openvino_model import agreement
from image_classifier.training.data import dataset

if TYPE_CHECKING:
    from image_classifier.heads.linear_head import LinearHead
    from image_classifier.training.trained import Trained

MANY = 1_000
"""Training images from which three folds suffice to doubt a label, and five would take half as long again."""
_PARTS, _SEED = 4, 0
_DRAWS = ((0,), (1,), (2,)), ((0, 1), (2, 3)), ((0, 1, 2, 3),)
"""Quarters of the training images that are fitted on: three draws of one, two of two, and all."""


@dataclass(frozen=True)
class HeldOut:
    """Predictions for training images by heads that were fitted without them."""

    probabilities: NDArray[np.float32]
    """(n, K) of all training images; NaN in a row that was never held out."""
    strength: float | None
    """C of the heads; None if it is not known."""
    head: "LinearHead | None" = None
    """Fitted on all training images with that C; None if a recipe fitted them."""


def predictions(trained: "Trained", check: Callable[[], None]) -> HeldOut | None:
    """Return those of the job's recipe, else those of a cross-validation on its features; None without features.

    `check` is called before each pass over the features; may raise.
    """
    known, arrays = trained.cross_validated, trained.arrays
    if known is not None:
        whole = np.full((len(trained.training.examples), max(2, known.probabilities.shape[1])), np.nan, np.float32)
        whole[known.rows] = agreement.two_columns(known.probabilities)
        return HeldOut(whole, trained.recipe["head"]["strength"] if trained.recipe else None)
    if arrays is None:
        return None
    from image_classifier.heads import cross_validation

    values = trained.values
    found = cross_validation.select(
        arrays.training,
        dataset.labels(trained.training.examples),
        len(trained.training.class_names),
        values.random_seed,
        binary=values.binary_mode,
        many=MANY,
        check=check,
    )
    return HeldOut(agreement.two_columns(found.out_of_fold), found.strength, found.head)


def learning_curve(trained: "Trained", known: HeldOut, check: Callable[[], None]) -> tuple[LearningPoint, ...]:
    """Return the accuracy on validation images of heads fitted on 25, 50 and 100 % of the training images.

    Draws are stratified and disjoint; their mean counts as one. Empty without features or C, or with fewer than four
    training images.
    """
    arrays, labels, expected = (
        trained.arrays,
        dataset.labels(trained.training.examples),
        dataset.labels(trained.validation.examples),
    )
    if arrays is None or known.strength is None or len(labels) < _PARTS:
        return ()
    from image_classifier.heads import fold_table, linear_head

    quarter, points, head = fold_table.deal(labels, _PARTS, _SEED), [], None
    for draws in _DRAWS:
        rights, rows = [], np.empty(0, np.int64)
        for draw in draws:
            check()
            rows = np.flatnonzero(np.isin(quarter, draw))
            is_all = len(rows) == len(labels)
            head = (known.head if is_all else None) or linear_head.fit(
                arrays.training if is_all else arrays.training[rows],
                labels[rows],
                len(trained.training.class_names),
                known.strength,
                binary=trained.values.binary_mode,
                # Of fewer images, but closer to the optimum than zero.
                start=head,
                check=check,
            )
            predicted = linear_head.predicted(head.probabilities(arrays.validation))
            rights.append(int((predicted == expected).sum()))
        accuracy = Proportion(round(float(np.mean(rights))), len(expected))
        points.append(LearningPoint(len(draws[0]) / _PARTS, len(rows), accuracy))
    return tuple(points)
