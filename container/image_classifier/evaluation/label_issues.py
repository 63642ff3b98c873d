"""Labels to check: confident learning on predictions by heads that did not see the image."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from image_classifier.evaluation import confident_learning
from image_classifier.evaluation.evidence import Split

LEAST_LEAD = 0.5
"""By which the probability of the suggested class exceeds that of the given one, at least.

Without it a hard data set has a long list of images that the heads are merely unsure of. Precision / recall with 5 %
of the labels flipped, without the lead -> with it: 133 stamps in 10 draws 0.89 / 0.67 -> 0.94 / 0.67; the digits of
scikit-learn 0.88 / 0.87 -> 0.96 / 0.84; solar cells, of which the heads get 12 % wrong anyway, 0.40 / 0.74 ->
0.51 / 0.71.
"""


@dataclass(frozen=True)
class LabelIssue:
    """A label that the predictions contradict."""

    split: str
    row: int
    given: int
    suggested: int
    """The class index that is the most probable."""
    score: float
    """Label quality in [0, 1]: (1 + p(given) - max p(other)) / 2; the smaller, the more likely is the label wrong."""


def find(splits: Sequence[Split]) -> tuple[LabelIssue, ...]:
    """Find label issues in the splits that have probabilities, the most likely wrong first.

    Those of `confident_learning` that have `LEAST_LEAD`. The splits are judged together: thresholds are by class.
    Fewer than two classes have no issues.
    """
    judged = [(split, split.probabilities) for split in splits if split.probabilities is not None and len(split)]
    labels = np.concatenate([split.labels for split, _ in judged]) if judged else np.empty(0, np.int64)
    if len(np.unique(labels)) < 2:
        return ()
    # Rounding in float32 may exceed 1.
    probabilities = np.concatenate([each for _, each in judged]).astype(np.float64).clip(0, 1)
    found = confident_learning.contradicted(labels, probabilities)
    scores = confident_learning.label_quality(labels, probabilities)
    places = [(split.name, row) for split, _ in judged for row in range(len(split))]
    led = scores <= (1 - LEAST_LEAD) / 2
    ordered = sorted(np.flatnonzero(found & led).tolist(), key=lambda index: (scores[index], index))
    suggested = probabilities.argmax(axis=1)
    return tuple(
        LabelIssue(*places[index], int(labels[index]), int(suggested[index]), float(scores[index])) for index in ordered
    )
