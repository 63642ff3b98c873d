"""Labels to check: confident learning on predictions by heads that did not see the image (cleanlab)."""

from collections.abc import Sequence
from dataclasses import dataclass

from image_classifier.evaluation.evidence import Split


@dataclass(frozen=True)
class LabelIssue:
    """A label that the predictions contradict."""

    split: str
    row: int
    given: int
    suggested: int
    """The class index that is the most probable."""
    score: float
    """Label quality in [0, 1]: the smaller, the more likely is the label wrong."""


def find(splits: Sequence[Split], classes: int) -> tuple[LabelIssue, ...]:
    """Find label issues in the splits that have probabilities, the most likely wrong first.

    Northcutt, Jiang and Chuang, Confident learning (2021). The splits are judged together: thresholds are by class.
    """
    raise NotImplementedError
