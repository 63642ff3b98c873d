"""Corrected labels of a result, and what they change; without SciPy, for the console's own process."""

from collections.abc import Mapping
from dataclasses import dataclass

from image_classifier.evaluation.paired import Paired
from image_classifier.evaluation.statistics import Proportion

EXCLUDED = -1
"""Class index of an image that is left out."""
SHOWN = 24
"""Images of each kind in a `Refit`."""


@dataclass(frozen=True)
class Corrections:
    """Labels that differ from those of the job."""

    class_names: tuple[str, ...]
    """Those of the job, then new ones."""
    labels: Mapping[str, Mapping[int, int]]
    """Class index, or `EXCLUDED`, by row, by the name of the split."""

    def count(self, split: str, excluded: bool) -> int:
        """Return how many images of a split are left out, or have another class."""
        return sum((index == EXCLUDED) is excluded for index in self.labels.get(split, {}).values())


@dataclass(frozen=True)
class Refit:
    """What the corrected labels change. All figures are of the judged images, with corrected labels."""

    before: Proportion
    """Accuracy of the head that was fitted on the labels as they were."""
    after: Proportion
    """Accuracy of the head that was fitted on the corrected labels."""
    counts: Paired
    better: tuple[int, ...]
    """Rows of the judged split that only the new head gets right, at most `SHOWN`."""
    worse: tuple[int, ...]
    training_changed: int
    training_excluded: int
    judged_changed: int
    judged_excluded: int
    images: int
    """Training images of the new head."""
    strength: float
    seconds: float
