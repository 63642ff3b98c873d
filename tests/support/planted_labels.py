"""Labels that are changed on purpose, with predictions by heads that did not see the image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_classifier.evaluation.evidence import TRAINING, Split
from image_classifier.evaluation.label_issues import LabelIssue
from image_classifier.heads import cross_validation
from image_classifier.training.export import held_out
from tests.unit.evaluation.labelled import split_of


@dataclass(frozen=True)
class Planted:
    """A split whose labels were changed in some rows, with predictions of heads that did not see the image."""

    split: Split
    flipped: frozenset[int]
    true: NDArray[np.int64]

    def precision_and_recall(self, issues: tuple[LabelIssue, ...]) -> tuple[float, float]:
        """Return the share of issues that were planted, and of planted ones that are issues."""
        hits = len({issue.row for issue in issues} & self.flipped)
        return hits / max(len(issues), 1), hits / len(self.flipped)


def plant(features: NDArray[np.float32], labels: NDArray[np.int64], share: float, seed: int = 0) -> Planted:
    """Give a share of the images a wrong class, and predict all by the report's cross-validation on these labels."""
    rng, given, classes = np.random.default_rng(seed), labels.copy(), int(labels.max()) + 1
    rows = rng.choice(len(labels), round(share * len(labels)), replace=False)
    given[rows] = (given[rows] + rng.integers(1, classes, len(rows))) % classes
    probabilities = cross_validation.select(features, given, classes, seed=0, many=held_out.MANY).out_of_fold
    return Planted(split_of(given, probabilities, TRAINING), frozenset(rows.tolist()), labels)
