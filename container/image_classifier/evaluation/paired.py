"""Two models on the same images: on which each of them is right, and whether the difference may be chance."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_classifier.evaluation.statistics import Z_95, Interval

SIGNIFICANT = 0.05
_ADDED = 0.5
"""To each of the four counts, for the interval."""


@dataclass(frozen=True)
class Paired:
    """Images by which of two models is right."""

    both_right: int
    only_first: int
    only_second: int
    both_wrong: int

    @property
    def total(self) -> int:
        """The number of images."""
        return self.both_right + self.only_first + self.only_second + self.both_wrong

    @property
    def difference(self) -> float:
        """Accuracy of the second less that of the first; NaN without images."""
        return (self.only_second - self.only_first) / self.total if self.total else math.nan

    @property
    def interval(self) -> Interval:
        """95 % of `difference`: Wald's interval for matched pairs with 0.5 added to each count.

        Agresti and Min, Simple improved confidence intervals for comparing matched proportions (2005).
        """
        total = self.total + 4 * _ADDED
        first, second = self.only_first + _ADDED, self.only_second + _ADDED
        difference = (second - first) / total
        spread = Z_95 * math.sqrt((first + second) - (second - first) ** 2 / total) / total
        return Interval(max(difference - spread, -1.0), min(difference + spread, 1.0))

    @property
    def p_value(self) -> float:
        """McNemar's exact test, two-sided, on the images that only one of both gets right."""
        differing, fewer = self.only_first + self.only_second, min(self.only_first, self.only_second)
        if not differing:
            return 1.0
        tail = math.fsum(
            math.exp(
                math.lgamma(differing + 1)
                - math.lgamma(count + 1)
                - math.lgamma(differing - count + 1)
                - differing * math.log(2)
            )
            for count in range(fewer + 1)
        )
        return min(2 * tail, 1.0)

    @property
    def is_significant(self) -> bool:
        """Whether the p-value is below 5 %."""
        return self.p_value < SIGNIFICANT


def count(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Paired:
    """Count the images by which of two models is right on them; both are (n,), in the same order."""
    return Paired(
        int((first & second).sum()),
        int((first & ~second).sum()),
        int((second & ~first).sum()),
        int((~first & ~second).sum()),
    )
