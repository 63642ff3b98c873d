"""Stratified parts of rows, as a function of their labels and a seed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def by_class(labels: NDArray[np.int64], seed: int | Sequence[int]) -> NDArray[np.int64]:
    """Return the rows of labels (n,) class after class, int64 (n,), in random order within each class.

    Equally spaced rows of this order have the shares of the classes in all of them.
    """
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    return shuffled[np.argsort(labels[shuffled], kind="stable")]


def evenly_spaced(count: int, wanted: int) -> NDArray[np.int64]:
    """Return `wanted` evenly spaced indices of `count`, int64 (wanted,)."""
    return (np.arange(wanted) * count // max(wanted, 1)).astype(np.int64)
