"""Duplicates and leaks: the same or nearly the same image twice, within a split and across splits.

`image_pairs` finds the pairs; only the files of those are decoded in full.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from image_classifier.evaluation.evidence import Split
from image_classifier.evaluation.image_pairs import Features, Images
from image_classifier.evaluation.statistics import Proportion
from image_classifier.evaluation.traits import LUMA_SIDE, Traits, pixels_sha256


class Kind(StrEnum):
    """How alike two images are."""

    EXACT = "exact"
    """Equal pixels."""
    NEAR = "near"
    """The same image, encoded again, resized or slightly cropped."""


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


def find(
    splits: Sequence[Split], traits: Mapping[str, Sequence[Traits | None]], check: Callable[[], None] = lambda: None
) -> Duplicates:
    """Find duplicates in the splits, the judged one first; `traits` by the name of the split.

    Images without traits are not compared. Without features in all splits, hashes and lumas decide. `check` is called
    between steps; may raise.
    """
    members, images = _compared(splits, traits)
    by_name = {split.name: split for split in splits}
    groups = []
    for same in images.groups(check):
        check()
        groups.append(_group(by_name, traits, [members[one] for one in same]))
    groups.sort(key=lambda group: (not group.is_leak, not group.contradicts))
    return _judged(splits[0], tuple(groups))


def _judged(split: Split, groups: tuple[Group, ...]) -> Duplicates:
    leaked = sorted(
        member.row for group in groups if group.is_leak for member in group.members if member.split == split.name
    )
    without = None
    if leaked and split.probabilities is not None:
        right = np.delete(split.predicted == split.labels, leaked)
        without = Proportion(int(right.sum()), len(right))
    return Duplicates(groups, tuple(leaked), without)


def _compared(splits: Sequence[Split], traits: Mapping[str, Sequence[Traits | None]]) -> tuple[list[Member], Images]:
    """Return the images with traits, in the order of the splits and their rows."""
    members, found, arrays = [], [], []
    for split in splits:
        rows = [row for row, one in enumerate(traits.get(split.name, ())) if one is not None and one.luma]
        members += [Member(split.name, row) for row in rows]
        found += [one for one in traits.get(split.name, ()) if one is not None and one.luma]
        if rows:
            arrays.append(split.features if split.features is None or len(rows) == len(split) else split.features[rows])
    lumas = np.frombuffer(b"".join(one.luma for one in found), np.uint8).reshape(-1, LUMA_SIDE, LUMA_SIDE)
    return members, Images(np.array([one.perceptual_hash for one in found], np.uint64), lumas, _features(arrays))


def _features(arrays: Sequence[NDArray[np.float32] | None]) -> Features | None:
    known = [rows for rows in arrays if rows is not None]
    if not known or len(known) < len(arrays):
        return None
    total = np.sum([rows.sum(axis=0, dtype=np.float64) for rows in known], axis=0)
    return Features(known, np.asarray(total / sum(len(rows) for rows in known), np.float32))


def _group(
    splits: Mapping[str, Split], traits: Mapping[str, Sequence[Traits | None]], members: Sequence[Member]
) -> Group:
    shapes = {(one.width, one.height) for member in members if (one := traits[member.split][member.row])}
    is_exact = len(shapes) == 1 and _are_equal(splits[member.split].path(member.row) for member in members)
    labels = tuple(int(splits[member.split].labels[member.row]) for member in members)
    return Group(Kind.EXACT if is_exact else Kind.NEAR, tuple(members), labels)


def _are_equal(paths: Iterable[Path]) -> bool:
    """Return whether all images have equal pixels; stops reading at the first that differs."""
    digests = (pixels_sha256(path) for path in paths)
    first = next(digests)
    return first is not None and all(digest == first for digest in digests)
