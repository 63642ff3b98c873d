"""Stage 2: the paired comparison of the tuned network with the head of stage 0 on the validation images."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_classifier.heads import linear_head

STANDARD_ERRORS = 1.0
"""By how many standard errors the tuned network must win."""


@dataclass(frozen=True)
class Comparison:
    """How two classifiers do on the same images."""

    rows: int
    both: int
    """Images that both classify correctly."""
    only_head: int
    only_tuned: int
    """Images that one of them alone classifies correctly: the discordant pairs."""
    copies: int = 0
    """Validation images beside `rows` that are copies of training images or of each other."""

    @property
    def head_accuracy(self) -> float:
        """Accuracy of the head of stage 0."""
        return (self.both + self.only_head) / max(self.rows, 1)

    @property
    def tuned_accuracy(self) -> float:
        """Accuracy of the tuned network."""
        return (self.both + self.only_tuned) / max(self.rows, 1)

    @property
    def difference(self) -> float:
        """Accuracy of the tuned network minus that of the head."""
        return (self.only_tuned - self.only_head) / max(self.rows, 1)

    @property
    def standard_error(self) -> float:
        """Standard error of `difference` if both were equally good: the square root of the discordant pairs, / rows.

        McNemar, Note on the sampling error of the difference between correlated proportions (1947).
        """
        return math.sqrt(self.only_head + self.only_tuned) / max(self.rows, 1)

    @property
    def tuned_wins(self) -> bool:
        """Whether the lead in discordant pairs exceeds `STANDARD_ERRORS` of it if both were equally good.

        One image is taken off the lead: the continuity correction (Edwards, 1948), without which two discordant pairs
        could decide. Without any discordant pair the head stays.
        """
        lead, discordant = self.only_tuned - self.only_head, self.only_tuned + self.only_head
        return lead - 1 > STANDARD_ERRORS * math.sqrt(discordant)

    def rule(self) -> str:
        """Return the rule that fired, with its numbers, without a full stop."""
        verdict = "more than one" if self.tuned_wins else "no more than one"
        others = f" (without {self.copies:,} copies)" if self.copies else ""
        return (
            f"the tuned network's lead on {self.rows:,} validation images{others}, less one image, is {verdict} "
            f"standard error: accuracy {self.tuned_accuracy:.4f} against {self.head_accuracy:.4f}, difference "
            f"{self.difference:+.4f} ± {self.standard_error:.4f}; {self.only_tuned} images only the network has right, "
            f"{self.only_head} only the head"
        )


def can_win(mistakes: int) -> bool:
    """Return whether a network would win against a head with so many mistakes, if it made none of them and no other."""
    return Comparison(mistakes, 0, 0, mistakes).tuned_wins


def compare(
    head_outputs: NDArray[np.float32], tuned_outputs: NDArray[np.float32], labels: NDArray[np.int64]
) -> Comparison:
    """Compare outputs for the same images, whose labels are int64 (n,).

    Outputs are logits or probabilities (n, K), or probabilities of class 1 (n, 1).
    """
    head, tuned = correct(head_outputs, labels), correct(tuned_outputs, labels)
    return Comparison(len(labels), int((head & tuned).sum()), int((head & ~tuned).sum()), int((~head & tuned).sum()))


def correct(outputs: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which images are classified correctly, bool (n,); see `linear_head.predicted`."""
    return np.equal(linear_head.predicted(outputs), labels)
