"""Duplicates and leaks: the same or nearly the same image twice, within a split and across splits.

Candidates are pairs whose features, or without features whose perceptual hashes, are alike; only their files are
decoded in full.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from image_classifier.evaluation.evidence import Split
from image_classifier.evaluation.statistics import Proportion
from image_classifier.evaluation.traits import Traits, pixels_sha256

MAX_DISTANCE = 12
"""Bits in which the perceptual hashes of duplicates differ at most, of 64."""
LEAST_COSINE = 0.9
"""Of the features of duplicates, their mean over all images subtracted."""
MAX_DISTANCE_ALONE = 4
"""Without features."""
_ENTRIES = 2**21
_PAIRS = 4096
"""Pairs whose features are compared at a time."""


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


def find(
    splits: Sequence[Split], traits: Mapping[str, Sequence[Traits | None]], check: Callable[[], None] = lambda: None
) -> Duplicates:
    """Find duplicates in the splits, the judged one first; `traits` by the name of the split.

    Images without traits are not compared. `check` is called between steps; may raise.
    """
    images = _images(splits, traits)
    components = _Components(len(images.hashes))
    for first, second in _alike_hashes(images.hashes):
        check()
        unknown = components.of[first] != components.of[second]
        first, second = first[unknown], second[unknown]
        alike = images.alike(first, second)
        components.join(first[alike], second[alike])
    groups = [_group(splits, images, members) for members in components.groups()]
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


@dataclass(frozen=True)
class _Images:
    """All images that are compared, in the order of the splits and their rows."""

    splits: NDArray[np.intp]
    """(n,) index of the split."""
    rows: NDArray[np.intp]
    hashes: NDArray[np.uint64]
    sizes: list[tuple[int, int]]
    """Width and height of each."""
    features: list[NDArray[np.float32] | None]
    """By split."""
    centre: NDArray[np.float32] | None
    """(D,): the mean of all features; None if a split has none."""

    def alike(self, first: NDArray[np.intp], second: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return for each pair of images with alike hashes whether they are duplicates."""
        if self.centre is None:
            return np.asarray(np.bitwise_count(self.hashes[first] ^ self.hashes[second]) <= MAX_DISTANCE_ALONE)
        cosines = np.empty(len(first), np.float32)
        for start in range(0, len(first), _PAIRS):
            part = slice(start, start + _PAIRS)
            left, right = (self._directions(self.centre, images[part]) for images in (first, second))
            cosines[part] = np.einsum("nd,nd->n", left, right)
        return cosines >= LEAST_COSINE

    def _directions(self, centre: NDArray[np.float32], images: NDArray[np.intp]) -> NDArray[np.float32]:
        rows = np.empty((len(images), len(centre)), np.float32)
        for split, features in enumerate(self.features):
            chosen = self.splits[images] == split
            if features is not None and chosen.any():
                rows[chosen] = features[self.rows[images[chosen]]]
        rows -= centre
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        np.divide(rows, lengths, out=rows, where=lengths > 0)
        return rows


def _images(splits: Sequence[Split], traits: Mapping[str, Sequence[Traits | None]]) -> _Images:
    found = [
        (index, row, one)
        for index, split in enumerate(splits)
        for row, one in enumerate(traits.get(split.name, ()))
        if one is not None
    ]
    features = [split.features for split in splits]
    return _Images(
        splits=np.array([index for index, _, _ in found], np.intp),
        rows=np.array([row for _, row, _ in found], np.intp),
        hashes=np.array([one.perceptual_hash for _, _, one in found], np.uint64),
        sizes=[(one.width, one.height) for _, _, one in found],
        features=features,
        centre=_centre([split.features for split in splits if len(split)]),
    )


def _centre(features: Sequence[NDArray[np.float32] | None]) -> NDArray[np.float32] | None:
    known = [rows for rows in features if rows is not None]
    if not known or len(known) < len(features):
        return None
    total = np.sum([rows.sum(axis=0, dtype=np.float64) for rows in known], axis=0)
    return np.asarray(total / sum(len(rows) for rows in known), np.float32)


def _alike_hashes(hashes: NDArray[np.uint64]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield pairs i < j within `MAX_DISTANCE` in blocks of rows, so that no array has more than `_ENTRIES` values."""
    count = len(hashes)
    start = 0
    while start < count - 1:
        stop = min(start + max(1, _ENTRIES // (count - start)), count - 1)
        distances = np.bitwise_count(hashes[start:stop, np.newaxis] ^ hashes[np.newaxis, start:])
        first, second = np.nonzero(distances <= MAX_DISTANCE)
        later = second > first
        yield first[later] + start, second[later] + start
        start = stop


class _Components:
    """Which images are connected by pairs of duplicates."""

    def __init__(self, count: int) -> None:
        self.of = np.arange(count)
        """(n,): the smallest index in the component of each image."""

    def join(self, first: NDArray[np.intp], second: NDArray[np.intp]) -> None:
        """Connect the images of each pair."""
        for left, right in zip(self.of[first].tolist(), self.of[second].tolist(), strict=True):
            low, high = sorted((int(self.of[left]), int(self.of[right])))
            if low != high:
                self.of[self.of == high] = low

    def groups(self) -> list[NDArray[np.intp]]:
        """Return the members of each component of at least two images, ascending."""
        order = np.argsort(self.of, kind="stable")
        _, starts = np.unique(self.of[order], return_index=True)
        return [members for members in np.split(order, starts[1:]) if len(members) > 1]


def _group(splits: Sequence[Split], images: _Images, members: NDArray[np.intp]) -> Group:
    found = tuple(Member(splits[images.splits[one]].name, int(images.rows[one])) for one in members)
    labels = tuple(int(splits[images.splits[one]].labels[images.rows[one]]) for one in members)
    is_exact = len({images.sizes[one] for one in members}) == 1 and _are_equal(
        splits[images.splits[one]].path(images.rows[one]) for one in members
    )
    return Group(Kind.EXACT if is_exact else Kind.NEAR, found, labels)


def _are_equal(paths: Iterable[Path]) -> bool:
    """Return whether all images have equal pixels; reads no further than the first other one."""
    digests = (pixels_sha256(path) for path in paths)
    first = next(digests)
    return first is not None and all(digest == first for digest in digests)
