"""Duplicates and leaks: the same or nearly the same image twice, within a split and across splits.

Candidates are pairs whose features, or without features whose perceptual hashes, are alike; only their files are
decoded in full.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from image_classifier.evaluation.evidence import Split
from image_classifier.evaluation.statistics import Proportion
from image_classifier.evaluation.traits import Traits


class Kind(StrEnum):
    """How alike two images are."""

    EXACT = "exact"
    """Equal pixels."""
    NEAR = "near"
    """Features whose cosine exceeds a threshold, and perceptual hashes within a distance."""


@dataclass(frozen=True)
class Member:
    """One image of a group."""

    split: str
    row: int


@dataclass(frozen=True)
class Group:
    """Images that are the same."""

    kind: Kind
    """`EXACT` only if all are equal."""
    members: tuple[Member, ...]
    """At least two; in the order of the splits and their rows."""
    labels: tuple[int, ...]
    """Of the members."""

    @property
    def contradicts(self) -> bool:
        """Whether its images have different labels."""
        return len(set(self.labels)) > 1

    @property
    def is_leak(self) -> bool:
        """Whether it spans more than one split."""
        return len({member.split for member in self.members}) > 1


@dataclass(frozen=True)
class Duplicates:
    """All groups, and the score without the leaked images."""

    groups: tuple[Group, ...]
    """Leaks first, then contradictions, then others."""
    leaked: tuple[int, ...]
    """Rows of the judged split that another split also has."""
    accuracy_without: Proportion | None
    """Accuracy of the judged split without them; None if none are leaked."""


def find(splits: Sequence[Split], traits: Mapping[str, Sequence[Traits | None]]) -> Duplicates:
    """Find duplicates in the splits, the judged one first; `traits` by the name of the split."""
    raise NotImplementedError
