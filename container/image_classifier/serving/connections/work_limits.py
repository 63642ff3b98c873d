"""What the images of a request may cost; apart from the work itself, so that reading settings imports no decoder."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class WorkLimits:
    """What can be set of it; declared in contract/serving_variables.py."""

    max_pixels: int
    max_request_pixels: int
    image_memory_bytes: int
    decode_memory_bytes: int | None
    """Of all images that are decoded at a time; None: half of what is free when the first one is."""
    seconds: float
    processes: int = 1
    """Among which the free memory is divided."""
