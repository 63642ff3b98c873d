"""What one request costs, collected while it is served; metrics and the access log take it from here at the end."""

import time
from dataclasses import dataclass, field

from flask import g

QUEUE, DECODE, ENGINE = "queue", "decode", "engine"
"""The stages of a request with images: waiting for its turn, decoding, the network."""


@dataclass(slots=True)
class Measurement:
    """Collects what one request costs; written by the thread that serves it and by no other."""

    started: float = field(default_factory=time.perf_counter)
    seconds: dict[str, float] = field(default_factory=dict)
    """By stage; a stage that was not reached is missing."""
    images: int = 0
    bytes_in: int | None = None
    """Bytes of the body that was read; None when it was not."""
    error: str | None = None
    """The code of the rejection."""
    model: str | None = None
    """Which model was asked for, where there are several."""

    def add(self, stage: str, seconds: float) -> None:
        """Add to the seconds of a stage."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    @property
    def total_seconds(self) -> float:
        """Seconds since the application got the request."""
        return time.perf_counter() - self.started


def begin() -> Measurement:
    """Start the measurement of the request that is being served."""
    g.measurement = Measurement()
    return current()


def current() -> Measurement:
    """Return the measurement of the request that is being served."""
    found: Measurement | None = g.get("measurement")
    return begin() if found is None else found
