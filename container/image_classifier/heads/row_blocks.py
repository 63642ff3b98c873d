"""Training rows in blocks, and the scaling of their features."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from image_classifier.contract.errors import UserError
from image_classifier.heads.workers import Workers

BLOCK = 512
"""Rows per block at most; part of the result, since sums are rounded block by block."""
LEAST_DEVIATION = 0.1
"""Bound below a feature's standard deviation, as a part of the median feature's."""
_ROUNDING = 1e-12
"""A variance below this part of the mean square is due to float32."""


@dataclass(frozen=True)
class Block:
    """Consecutive rows."""

    features: NDArray[np.float32]
    """(m, D)"""
    labels: NDArray[np.int64]
    """(m,) class indices."""
    weights: NDArray[np.float32]
    """(m,) in the loss."""


def slices(start: int, stop: int) -> list[slice]:
    """Cut a range of rows into blocks of almost equal size."""
    count = -(-(stop - start) // BLOCK)
    bounds = [start + (stop - start) * number // count for number in range(count)] + [stop]
    return [slice(*pair) for pair in pairwise(bounds)]


@dataclass(frozen=True)
class Scaling:
    """The map x -> (x - mean) * factor."""

    mean: NDArray[np.float64]
    """(D,)"""
    factor: NDArray[np.float64]
    """(D,) see `scaling`."""

    def fold_in(
        self, kernel: NDArray[np.float64], bias: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the kernel (D, outputs) and bias (outputs,) for x, from those for scaled features."""
        kernel = self.factor[:, np.newaxis] * kernel
        return kernel, bias - self.mean @ kernel

    def take_out(
        self, kernel: NDArray[np.float64], bias: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the kernel and bias for scaled features, from those for x."""
        return kernel / self.factor[:, np.newaxis], bias + self.mean @ kernel

    def shifted(self, centre: NDArray[np.float32]) -> "Scaling":
        """Return the map of x + centre."""
        return Scaling(self.mean + centre, self.factor)


def centre(blocks: Sequence[Block], workers: Workers) -> NDArray[np.float32]:
    """Return the mean of each feature, float32 (D,).

    Raises:
        UserError: A feature is NaN or infinite.
    """
    mean = _mean(blocks, lambda number: blocks[number].features.sum(axis=0, dtype=np.float64), workers)
    if not np.isfinite(mean).all():
        raise UserError(
            f"The model computes features that are NaN or infinite: {np.sum(~np.isfinite(mean)):,} of {len(mean):,}. "
            "Use another model, or omit mixed_precision."
        )
    return mean.astype(np.float32)


def scaling(blocks: Sequence[Block], workers: Workers) -> Scaling:
    """Return the scaling of rows, which are centred up to a small rest; the rows count alike.

    A feature is divided by √(s · m), s its standard deviation and m that of the median feature: halfway, on a
    logarithmic scale, between full standardisation and none, as Pareto scaling (van den Berg et al., Centering,
    scaling, and transformations, 2006). It wins where either does: docs/decisions/0030-recipes.md. s is at least
    `LEAST_DEVIATION` · m: a feature that hardly varies in few training images would decide alone in an image where it
    does, and a constant one has no scale.
    """

    def moments(number: int) -> NDArray[np.float64]:
        features = blocks[number].features
        return np.stack([features.sum(axis=0, dtype=np.float64), (features**2).sum(axis=0, dtype=np.float64)])

    mean, square = _mean(blocks, moments, workers)
    variance = square - mean**2
    deviation = np.sqrt(np.where(variance > _ROUNDING * square, variance, 0))
    varying = deviation[deviation > 0]
    median = float(np.median(varying)) if len(varying) else 1.0
    return Scaling(mean, 1 / np.sqrt(np.maximum(deviation, LEAST_DEVIATION * median) * median))


def _mean(
    blocks: Sequence[Block], function: Callable[[int], NDArray[np.float64]], workers: Workers
) -> NDArray[np.float64]:
    """Return the sum of `function` over the numbers of the blocks, per row."""
    # By number, so that a block that has to be read is read by its thread.
    total, *others = workers.map(function, range(len(blocks)))
    for part in others:
        total += part
    return total / sum(len(block.labels) for block in blocks)
