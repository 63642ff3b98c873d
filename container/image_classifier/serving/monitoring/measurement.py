"""Measurements of one request, collected while it is handled; metrics and access log read them at the end."""

import time
from dataclasses import dataclass, field

from flask import g

QUEUE, DECODE, ENGINE = "queue", "decode", "engine"
"""Stages of a request with images: waiting for a permit, decoding, the network."""


@dataclass(slots=True)
class RequestMeasurement:
    """Measurements of one request; written only by the thread that handles it."""

    started: float = field(default_factory=time.perf_counter)
    seconds: dict[str, float] = field(default_factory=dict)
    """By stage; stages that were not reached are missing."""
    images: int = 0
    bytes_in: int | None = None
    """Bytes of the body; None if it was not read."""
    error: str | None = None
    """Error code of the rejection."""
    model: str | None = None
    """Name of the requested model, in a multi-model server."""

    def add(self, stage: str, seconds: float) -> None:
        """Add to the seconds of a stage."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    @property
    def total_seconds(self) -> float:
        """Seconds since the application received the request."""
        return time.perf_counter() - self.started


def begin() -> RequestMeasurement:
    """Start measuring Flask's current request."""
    g.measurement = RequestMeasurement()
    return current()


def current() -> RequestMeasurement:
    """Return the measurement of Flask's current request."""
    found: RequestMeasurement | None = g.get("measurement")
    return begin() if found is None else found
