"""Load a server for a time, sample its memory each second, and report its growth."""

import time
from dataclasses import dataclass

import numpy as np

from tests.benchmarks.soak.load import Load
from tests.benchmarks.watched_server import Watched

LIMIT = 1.0
"""MB of 2^20 bytes that 1,000 requests may add, about 1 KB each. A server that keeps the bodies adds some fifty."""
WARM_UP = 1 / 3
"""The part of the time in which memory may grow: buffers and the C library's pools find their size."""
_PAUSE = 1.0


@dataclass(frozen=True)
class Sample:
    """What a server held at a moment."""

    seconds: float
    requests: int
    """Sent by then."""
    megabytes: float


@dataclass(frozen=True)
class Soak:
    """What was seen."""

    samples: tuple[Sample, ...]
    outcomes: dict[tuple[str, str], int]
    wrong: list[str]
    """Answers other than expected."""
    deaths: int

    @property
    def slope(self) -> float:
        """MB that 1,000 requests added after the warm-up; see `growth`."""
        warm = self.samples[-1].seconds * WARM_UP
        return growth([sample for sample in self.samples if sample.seconds >= warm])

    @property
    def faults(self) -> list[str]:
        """What a server that can go on for ever would not have shown."""
        found = list(self.wrong)
        if self.deaths:
            found.append(f"{self.deaths} processes died")
        if self.slope > LIMIT:
            found.append(f"1,000 requests add {self.slope:.2f} MB; the limit is {LIMIT:.2f}")
        return found


def growth(samples: list[Sample]) -> float:
    """Return the slope of memory over requests, in MB for each 1,000: the median of the slopes between all pairs.

    Theil, A rank-invariant method of linear and polynomial regression analysis (1950), and Sen (1968): up to 29 % of
    the samples may lie anywhere, such as those taken while a large image was decoded.
    """
    requests = np.array([sample.requests for sample in samples], np.float64)
    megabytes = np.array([sample.megabytes for sample in samples])
    first, second = np.triu_indices(len(samples), 1)
    apart = requests[second] > requests[first]
    rises = (megabytes[second] - megabytes[first])[apart]
    return float(np.median(rises / (requests[second] - requests[first])[apart])) * 1_000


def watch(server: Watched, seconds: float, seed: int) -> Soak:
    """Load a server that is ready for so many seconds."""
    workers, load, started = server.workers(), Load(server.port, seed).start(), time.monotonic()
    samples: list[Sample] = []
    try:
        while (now := time.monotonic() - started) < seconds:
            samples.append(Sample(now, load.requests, server.megabytes()))
            time.sleep(_PAUSE)
    finally:
        load.stop()
    deaths = len(set(workers) - set(server.workers()))
    return Soak(tuple(samples), dict(load.outcomes), load.wrong, deaths)
