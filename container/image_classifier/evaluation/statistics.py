"""Proportions with intervals, and a correction for the number of tests."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

Z_95 = 1.959964
"""Two-sided 95 % quantile of the normal distribution."""


@dataclass(frozen=True)
class Interval:
    """A 95 % confidence interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Proportion:
    """Successes among trials.

    Raises:
        ValueError: There are more successes than trials, or fewer than none.
    """

    count: int
    total: int

    def __post_init__(self) -> None:
        """Reject what a file may claim."""
        if not 0 <= self.count <= self.total:
            raise ValueError(f"a share of {self.count} in {self.total} is impossible")

    @property
    def value(self) -> float:
        """Their share; NaN without trials."""
        return self.count / self.total if self.total else math.nan

    @property
    def interval(self) -> Interval:
        """The Wilson score interval (Wilson, Probable inference, 1927); 0 to 1 without trials."""
        if not self.total:
            return Interval(0.0, 1.0)
        share, z2 = self.value, Z_95**2 / self.total
        centre = share + z2 / 2
        spread = Z_95 * math.sqrt(share * (1 - share) / self.total + z2 / (4 * self.total))
        return Interval(max((centre - spread) / (1 + z2), 0.0), min((centre + spread) / (1 + z2), 1.0))


def discoveries(p_values: Sequence[float], rate: float = 0.05) -> list[bool]:
    """Return for each test whether its null hypothesis is rejected at a false discovery rate.

    Benjamini and Hochberg, Controlling the false discovery rate (1995).
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    passed = [rank for rank, index in enumerate(order, start=1) if p_values[index] <= rate * rank / len(order)]
    accepted = set(order[: max(passed, default=0)])
    return [index in accepted for index in range(len(p_values))]
