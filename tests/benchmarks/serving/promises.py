"""A promise about a number that every round measures, and the verdict on it: by the median, or by the worst round."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

_Round = TypeVar("_Round")

HEADER = "| promise | | measured |\n|---|---|---|"


@dataclass(frozen=True)
class Promise(Generic[_Round]):
    """What the rounds shall reach, or not exceed."""

    words: str
    measured: Callable[[_Round], float | None]
    """The number of a round; None where what it needs was not measured."""
    limit: float
    at_least: bool = True
    always: bool = False
    """Whether each round has to keep it, not the median alone."""

    def values(self, rounds: Sequence[_Round]) -> list[float]:
        """Return what the rounds measured."""
        found = (self.measured(one) for one in rounds)
        return [value for value in found if value is not None and not math.isnan(value)]

    def holds(self, rounds: Sequence[_Round]) -> bool | None:
        """Say whether it is kept; None when no round measured it."""
        values = self.values(rounds)
        if not values:
            return None
        judged = values if self.always else [statistics.median(values)]
        return min(judged) >= self.limit if self.at_least else max(judged) <= self.limit

    def row(self, rounds: Sequence[_Round]) -> str:
        """Return a row of Markdown: the promise, the verdict, median and range of the rounds."""
        values, holds = self.values(rounds), self.holds(rounds)
        if holds is None:
            return f"| {self.words} | not measured | |"
        spread = f" ({min(values):.3g} to {max(values):.3g})" if len(values) > 1 else ""
        return f"| {self.words} | {'holds' if holds else '**falls short**'} | {statistics.median(values):.3g}{spread} |"
