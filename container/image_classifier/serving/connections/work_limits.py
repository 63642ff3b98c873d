"""Limits on the cost of a request's images; a module of its own, so that reading settings imports no decoder."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class WorkLimits:
    """The configurable limits, declared in contract/serving_variables.py."""

    max_pixels: int
    max_request_pixels: int
    image_memory_bytes: int
    decode_memory_bytes: int | None
    """Of all images decoded at a time; None: half of the memory that is free when the first image is decoded."""
    seconds: float
    processes: int = 1
    """Number of processes that share the free memory."""
