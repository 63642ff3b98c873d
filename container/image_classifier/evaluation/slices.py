"""Slices: groups of images, by their traits, on which the model is significantly worse or better than on the rest."""

from collections.abc import Sequence
from dataclasses import dataclass

from image_classifier.evaluation.evidence import Split
from image_classifier.evaluation.statistics import Proportion
from image_classifier.evaluation.traits import Traits

LEAST_IMAGES = 30
"""Images in a slice, and outside of it."""


@dataclass(frozen=True)
class Slice:
    """A group of images with another accuracy than the rest."""

    trait: str
    """Such as `brightness`."""
    description: str
    """Such as "dark images (brightness below 0.21)"; one line, for a sentence."""
    accuracy: Proportion
    rest: Proportion
    """Accuracy of all other images of the split."""
    p_value: float
    """Fisher's exact test, two-sided, before the correction."""
    rows: tuple[int, ...]


def find(split: Split, traits: Sequence[Traits | None], limit: int = 12) -> tuple[Slice, ...]:
    """Find the slices of a split that has probabilities, the largest difference first.

    Candidates: quarters of brightness, contrast, sharpness, size and aspect ratio; formats; sub-folders of classes.
    Kept are those of at least `LEAST_IMAGES` images whose interval excludes the accuracy of the rest, and that the
    procedure of Benjamini and Hochberg accepts among all candidates.
    """
    raise NotImplementedError
