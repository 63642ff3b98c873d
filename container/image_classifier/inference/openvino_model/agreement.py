"""Agreement of two computations of the same probabilities: largest difference, and changed top-1 predictions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 1e-3
"""Largest difference of a float32 probability that is attributed to rounding; see docs/decisions/0003."""


@dataclass(frozen=True)
class Agreement:
    """Comparison of two tables of probabilities of the same images."""

    largest_difference: float
    """Largest |Δp|; NaN when either table holds one."""
    other_answers: int
    """Differing top-1 predictions where the two best of the first table are further apart than 2·`TOLERANCE`."""
    close_answers: int
    """Differing top-1 predictions where they lie within 2·`TOLERANCE`."""


def measure(expected: NDArray[np.float32], found: NDArray[np.float32]) -> Agreement:
    """Compare two tables of probabilities, (n, K) or (n, 1), n at least 1."""
    expected, found = two_columns(expected), two_columns(found)
    other = expected.argmax(axis=1) != found.argmax(axis=1)
    best = np.sort(expected, axis=1)
    close = best[:, -1] - best[:, max(-2, -best.shape[1])] <= 2 * TOLERANCE
    return Agreement(
        largest_difference=float(np.abs(expected - found).max()),
        other_answers=int((other & ~close).sum()),
        close_answers=int((other & close).sum()),
    )


def two_columns(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (n, 2) for a sigmoid output (n, 1), which holds only P(class 1); return any other table unchanged."""
    if probabilities.shape[1] > 1:
        return probabilities
    # The larger column is the class of `binary_rule`: p = 0.5, and a rounded 1 - p, must not tie in favour of class 0.
    return np.concatenate([np.nextafter(1 - probabilities, np.float32(0)), probabilities], axis=1)
