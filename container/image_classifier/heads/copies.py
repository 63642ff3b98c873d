"""Copies of an image among the rows: features that are equal up to the rounding of the engine that computed them."""

import numpy as np
from numpy.typing import NDArray

from image_classifier.heads import row_blocks

TOLERANCE = 1e-4
"""Largest difference of two copies in any feature, as a part of the row's largest one."""


def first_copies(features: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each of `rows`, indices int64 (m,), the position in `rows` of the first one that it is a copy of.

    That of a row without copies is its own. `features` (n, D) may be a file; it is read twice, block by block.
    """
    parts = row_blocks.slices(0, len(rows))
    direction = np.random.default_rng(0).standard_normal((features.shape[1],))
    with np.errstate(all="ignore"):  # rows that are NaN or infinite are equal to none
        read = [_projected(features[rows[part]], direction) for part in parts]
        projected, size = (np.concatenate(arrays) for arrays in zip(*read, strict=True))
        # Copies are neighbours in the order of their projections.
        order = np.argsort(projected, kind="stable")
        bound = TOLERANCE * size[order[1:]]
        near = np.flatnonzero(np.diff(projected[order]) <= bound * np.sqrt(features.shape[1]))
        copies = np.zeros(len(rows), bool)
        for part in row_blocks.slices(0, len(near)):
            pairs = near[part]
            differences = np.abs(features[rows[order[pairs]]] - features[rows[order[pairs + 1]]]).max(axis=1)
            copies[pairs + 1] = differences <= bound[pairs]
    group = np.cumsum(~copies)
    first = np.full(len(rows) + 1, len(rows))
    np.minimum.at(first, group, order)
    found = np.empty(len(rows), np.int64)
    found[order] = first[group]
    return found


def where_enough_differ(first: NDArray[np.int64], least: int) -> NDArray[np.int64]:
    """Return `first`, the first copy of each row, int64 (n,), where at least `least` rows differ.

    Else each row itself: equal features of nearly all images come from a backbone that sees nothing.
    """
    return first if len(np.unique(first)) >= least else np.arange(len(first))


def _projected(some: NDArray[np.float32], direction: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    return some.astype(np.float64) @ direction, np.abs(some).max(axis=1).astype(np.float64)
