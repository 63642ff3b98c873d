"""BatchNorm's moving statistics after a few steps, without what they held before the first one.

A moving average with the momentum 0.99 holds a third of its initial value after 100 steps, so that a network that was
tuned for a short time with batch statistics is served with those of its pre-training. Wu and Johnson, Rethinking
"Batch" in BatchNorm (arXiv 2105.07576, section 3), show the harm.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier.training.loop import snapshots

_OFFSET = 1000.0
"""So large that the momentum shows in float32 even where the batch changes a little, as with random depth."""
_TOLERANCE = 1e-3
_ROUNDING = 1e-5
"""Relative error of a moving average after hundreds of steps in float32."""


def measure_momenta(variables: Sequence[Any], update: Callable[[], None]) -> list[float]:
    """Return the momentum of each moving average; 1 for a variable that `update` leaves or changes in another way.

    `update` is a training step on always the same batch that leaves the weights. The variables end as they started.
    Collective: every host must call it.
    """
    start = [variable.numpy() for variable in variables]
    update()
    first = [variable.numpy() for variable in variables]
    snapshots.assign(variables, [value + np.float32(_OFFSET) for value in start])
    update()
    second = [variable.numpy() for variable in variables]
    snapshots.assign(variables, start)
    return [_momentum((high - low) / _OFFSET) for low, high in zip(first, second, strict=True)]


def _momentum(kept: NDArray[Any]) -> float:
    """Return the share of itself that a moving average keeps, equal in all of its elements."""
    middle = float(np.median(kept)) if kept.size else 1.0
    if not 0 < middle < 1 or np.abs(kept - middle).max() > _TOLERANCE:
        return 1.0
    return round(middle, 5)


class MovingStatistics:
    """The moving statistics of a network whose training starts at known values."""

    def __init__(self, variables: Sequence[Any], start: Sequence[NDArray[Any]], momenta: Sequence[float]) -> None:
        """Take the variables, their values before the first step, and the results of `measure_momenta`."""
        known = [index for index, momentum in enumerate(momenta) if momentum < 1]
        self._variables = [variables[index] for index in known]
        self._start = [start[index] for index in known]
        self._momenta = [momenta[index] for index in known]

    @contextmanager
    def corrected(self, steps: int) -> Iterator[None]:
        """Let the network have, in the block, the averages over the `steps` batches since the start alone.

        A moving average v of the momentum m that started at s holds m^t s after t steps; (v - m^t s) / (1 - m^t) is
        the average over the batches, with the weights of Adam's bias correction (Kingma and Ba, 2015, section 3).
        Afterwards the variables are as before. Collective: every host must call it.
        """
        moving = [variable.numpy() for variable in self._variables]
        if steps:
            parts = zip(moving, self._start, self._momenta, strict=True)
            snapshots.assign(self._variables, [_without_start(*part, steps) for part in parts])
        try:
            yield
        finally:
            snapshots.assign(self._variables, moving)


def _without_start(moving: NDArray[Any], start: NDArray[Any], momentum: float, steps: int) -> NDArray[Any]:
    left = momentum**steps
    average = (moving.astype(np.float64) - left * start) / (1 - left)
    # The rounding of float32 must not make a variance of 0 negative.
    rounding = _ROUNDING * np.abs(start) / (1 - left)
    return np.where((average < 0) & (average >= -rounding), 0, average).astype(moving.dtype)
