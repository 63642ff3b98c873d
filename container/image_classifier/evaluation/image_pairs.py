"""Images that are the same: candidates by perceptual hash and features, verified by reduced pixels.

The thresholds are from solar cells (2,223 grey images that look alike, features of EfficientNet-Lite0) and stamps (167
photographs), each against copies of themselves: JPEG of quality 70, resized to 80 %, cropped by 2.5 % and 5 % of each
side. All pairs of the solar cells count as different: 24,671 of them pass the hash and a cosine of 0.7.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from image_classifier.evaluation.traits import LUMA_SIDE

MAX_DISTANCE = 16
"""Bits in which the hashes differ at most, of 64. Copies that are encoded again or resized: at most 6; stamps cropped
by 2.5 %: at most 16. Of two unrelated photographs one pair in 20,000 differs so little."""
LEAST_COSINE = 0.6
"""Of the features, their mean over all images subtracted. Of the copies at least 0.71, cropped solar cells aside."""
LEAST_CORRELATION = 0.9988
"""Of the reduced lumas of the same image. Copies of solar cells that are encoded again or resized: at least 0.9993, of
stamps nearly all. Different solar cells: at most 0.9983."""
MAX_DIFFERENCE = 1
"""Levels by which the pixels of two lumas of one colour, which have no correlation, differ at most."""
LEAST_ALIGNED_CORRELATION = 0.97
"""Of look-alikes after the best of some crops: 99 % of the stamps cropped by 2.5 %, 87 % of those by 5 %."""
MAX_LOOK_ALIKES = 3
"""Look-alikes of an image above which they say nothing, and its crops are not searched."""
MAX_LOOK_ALIKE_SHARE = 0.25
"""Share of the images with look-alikes above which the same holds for all. Solar cells: 0.72, of 100 of them 0.31 or
more; stamps: 0. Without this bound 65 pairs of different solar cells would pass for crops."""
_CROPS = (0.025, 0.05)
"""Parts of a side that are cut off at both ends; with the window in nine positions."""
_ENTRIES = 2**21
_PAIRS = 4096
"""Pairs that are compared at a time."""

Pairs = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Indices (m,) and (m,) of images."""


@dataclass(frozen=True)
class Features:
    """Feature vectors in several arrays, without a copy of them all."""

    arrays: Sequence[NDArray[np.float32]]
    """(m, D) each; together the n images in order."""
    centre: NDArray[np.float32]
    """(D,): the mean."""

    def directions(self, images: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return (m, D), each row of length 1: what distinguishes an image from the mean; 0 for the mean itself."""
        rows = np.empty((len(images), len(self.centre)), np.float32)
        start = 0
        for array in self.arrays:
            chosen = (start <= images) & (images < start + len(array))
            rows[chosen] = array[images[chosen] - start]
            start += len(array)
        return _unit(rows - self.centre)


@dataclass(frozen=True)
class Images:
    """What images are compared by."""

    hashes: NDArray[np.uint64]
    """(n,) perceptual hashes."""
    lumas: NDArray[np.uint8]
    """(n, 32, 32)."""
    features: Features | None

    def groups(self, check: Callable[[], None]) -> list[NDArray[np.intp]]:
        """Return the indices of the images that are the same, ascending, for each image that there is more than once.

        `check` is called between blocks; may raise.
        """
        components = _Components(len(self.hashes))
        look_alikes = _LookAlikes(len(self.hashes))
        for candidates in _alike_hashes(self.hashes):
            check()
            # Of a thousand equal images all pairs would be half a million.
            pairs = _chosen(candidates, components.of[candidates[0]] != components.of[candidates[1]])
            pairs = _chosen(pairs, self._in_blocks(pairs, self._have_alike_features))
            are_equal = self._in_blocks(pairs, self._have_equal_lumas)
            components.join(_chosen(pairs, are_equal))
            look_alikes.add(_chosen(pairs, ~are_equal))
        rare = look_alikes.rare()
        components.join(_chosen(rare, self._in_blocks(rare, self._are_crops)))
        return components.groups()

    def _in_blocks(self, pairs: Pairs, test: Callable[[Pairs], NDArray[np.bool_]]) -> NDArray[np.bool_]:
        found = np.empty(len(pairs[0]), bool)
        for start in range(0, len(found), _PAIRS):
            part = slice(start, start + _PAIRS)
            found[part] = test((pairs[0][part], pairs[1][part]))
        return found

    def _have_alike_features(self, pairs: Pairs) -> NDArray[np.bool_]:
        if self.features is None:
            return np.ones(len(pairs[0]), bool)
        left, right = _of_ends(self.features.directions, pairs)
        # Two images at the mean, as where all are the same, have no direction.
        return np.asarray((_dots(left, right) >= LEAST_COSINE) | (~left.any(axis=1) & ~right.any(axis=1)))

    def _have_equal_lumas(self, pairs: Pairs) -> NDArray[np.bool_]:
        first, second = pairs
        lowest, highest = self._levels
        darkest, brightest = np.minimum(lowest[first], lowest[second]), np.maximum(highest[first], highest[second])
        of_one_colour = brightest - darkest <= MAX_DIFFERENCE
        return np.asarray(of_one_colour | (_dots(*_of_ends(self._standardised, pairs)) >= LEAST_CORRELATION))

    @cached_property
    def _levels(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Lowest and highest level of each luma."""
        return self.lumas.min(axis=(1, 2)), self.lumas.max(axis=(1, 2))

    def _standardised(self, images: NDArray[np.intp]) -> NDArray[np.float32]:
        return _standardised(self.lumas[images])

    def _are_crops(self, pairs: Pairs) -> NDArray[np.bool_]:
        left, right = (self.lumas[ends] for ends in pairs)
        best = _dots(_standardised(left), _standardised(right))
        for whole, part in ((left, _standardised(right)), (right, _standardised(left))):
            for box in _boxes():
                best = np.maximum(best, _dots(_standardised(_cut(whole, box)), part))
        return np.asarray(best >= LEAST_ALIGNED_CORRELATION)


def _alike_hashes(hashes: NDArray[np.uint64]) -> Iterator[Pairs]:
    """Yield pairs i < j within `MAX_DISTANCE` in blocks of rows: distances of all pairs would not fit into memory.

    All pairs of 50,000 images take 7 s of one CPU, of 3,000 images 0.06 s.
    """
    count = len(hashes)
    start = 0
    while start < count - 1:
        stop = min(start + max(1, _ENTRIES // (count - start)), count - 1)
        distances = np.bitwise_count(hashes[start:stop, np.newaxis] ^ hashes[np.newaxis, start:])
        first, second = np.nonzero(distances <= MAX_DISTANCE)
        yield _chosen((first + start, second + start), second > first)
        start = stop


def _of_ends(
    rows_of: Callable[[NDArray[np.intp]], NDArray[np.float32]], pairs: Pairs
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the rows of both ends, each image's computed once."""
    images, places = np.unique(np.concatenate(pairs), return_inverse=True)
    rows = rows_of(images)
    return rows[places[: len(pairs[0])]], rows[places[len(pairs[0]) :]]


def _chosen(pairs: Pairs, which: NDArray[np.bool_]) -> Pairs:
    return pairs[0][which], pairs[1][which]


def _boxes() -> Iterator[tuple[float, float, float, float]]:
    """Yield windows of a reduced luma: left, top, right, bottom."""
    for crop in _CROPS:
        side, margin = LUMA_SIDE * (1 - 2 * crop), LUMA_SIDE * crop
        for left in (0.0, margin, 2 * margin):
            for top in (0.0, margin, 2 * margin):
                yield left, top, left + side, top + side


def _cut(lumas: NDArray[np.uint8], box: tuple[float, float, float, float]) -> NDArray[np.uint8]:
    size = LUMA_SIDE, LUMA_SIDE
    cut = [Image.fromarray(luma).resize(size, Image.Resampling.BILINEAR, box) for luma in lumas]
    return np.array(cut, np.uint8).reshape(lumas.shape)


def _standardised(lumas: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return (m, 1024), each row of mean 0 and length 1, whose dot products are correlations; 0 for one colour."""
    rows = lumas.reshape(len(lumas), -1).astype(np.float32)
    return _unit(rows - rows.mean(axis=1, keepdims=True))


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1), np.float32)


def _dots(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.einsum("nd,nd->n", left, right), np.float32)


class _LookAlikes:
    """Pairs that look alike, of which crops are searched where that is unusual."""

    def __init__(self, images: int) -> None:
        self._counts = np.zeros(images, np.intp)
        self._pairs: list[Pairs] = []

    def add(self, pairs: Pairs) -> None:
        """Count the pairs, and keep those that may still be rare."""
        self._counts += np.bincount(np.concatenate(pairs), minlength=len(self._counts))
        self._pairs.append(self._with_few(pairs))

    def rare(self) -> Pairs:
        """Return the pairs of images that have few look-alikes; none where many images have some."""
        if not self._pairs or (self._counts > 0).mean() > MAX_LOOK_ALIKE_SHARE:
            return np.empty(0, np.intp), np.empty(0, np.intp)
        first, second = (np.concatenate(ends) for ends in zip(*self._pairs, strict=True))
        return self._with_few((first, second))

    def _with_few(self, pairs: Pairs) -> Pairs:
        first, second = pairs
        return _chosen(pairs, np.maximum(self._counts[first], self._counts[second]) <= MAX_LOOK_ALIKES)


class _Components:
    """Which images are connected by pairs of duplicates."""

    def __init__(self, count: int) -> None:
        self.of = np.arange(count)
        """(n,): the smallest index in the component of each image."""

    def join(self, pairs: Pairs) -> None:
        """Connect the images of each pair."""
        first, second = pairs
        for left, right in zip(self.of[first].tolist(), self.of[second].tolist(), strict=True):
            low, high = sorted((int(self.of[left]), int(self.of[right])))
            if low != high:
                self.of[self.of == high] = low

    def groups(self) -> list[NDArray[np.intp]]:
        """Return the members of each component of at least two images, ascending."""
        order = np.argsort(self.of, kind="stable")
        _, starts = np.unique(self.of[order], return_index=True)
        return [members for members in np.split(order, starts[1:]) if len(members) > 1]
