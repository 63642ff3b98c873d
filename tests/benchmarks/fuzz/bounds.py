"""The maximum cost of an input. How the figures were measured, and their margins: docs/decisions/0026."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.benchmarks.fuzz.cost import Cost

REQUEST_SECONDS, SECONDS_A_MEGAPIXEL = 0.1, 0.3
"""CPU of a request, and of decoding and resizing a million pixels (at most 0.007 and 0.072 were measured)."""
SECONDS_AN_IMAGE, SECONDS_A_MEGABYTE = 0.001, 0.2
"""CPU of each further image of a request, and of reading a million bytes (0.00016 and 0.015 were measured)."""
SECONDS_A_CHUNK = 0.00002
"""CPU of each chunk of a body in chunks, which may have one byte each (0.000004 were measured)."""
REQUEST_MEGABYTES, MEGABYTES_A_MEGAPIXEL = 16, 40
"""Peak memory of a request, and of a million pixels (at most 2 and 20 were measured, the latter of WebP)."""
BYTES_A_BYTE = 8
"""Peak memory of each byte that was sent (3.7 were measured, of base64 in JSON)."""
PING_SECONDS = 2.0
"""Within which `/ping` is answered beside each single input."""


@dataclass(frozen=True)
class Size:
    """What an input may cost more for."""

    weight: int
    """Bytes that are sent."""
    images: int = 1
    """How many it asks for at most."""
    chunks: int = 0
    """Of its body."""


@dataclass(frozen=True)
class Bounds:
    """What one input may cost: `seconds` (A) and `megabytes` in any case, and more by its size."""

    seconds: float
    megabytes: float

    def broken_by(self, cost: Cost, size: Size) -> Iterator[str]:
        """Yield a sentence for each bound that an input of this size exceeded."""
        seconds, megabytes = self.allowed(size)
        if cost.cpu_seconds > seconds:
            yield f"{cost.cpu_seconds:.2f} s of CPU for {size.weight:,} bytes; allowed: {seconds:.2f}"
        if cost.megabytes > megabytes:
            yield f"{cost.megabytes:.0f} MB of memory for {size.weight:,} bytes; allowed: {megabytes:.0f}"

    def allowed(self, size: Size) -> tuple[float, float]:
        """Return the CPU seconds and the MB that an input of this size may cost."""
        more = SECONDS_AN_IMAGE * size.images + SECONDS_A_CHUNK * size.chunks + SECONDS_A_MEGABYTE * size.weight / 1e6
        return self.seconds + more, self.megabytes + BYTES_A_BYTE * size.weight / (1 << 20)


def of(max_pixels: int) -> Bounds:
    """Return the bounds of a server that accepts so many pixels in a request."""
    megapixels = max_pixels / 1e6
    return Bounds(
        REQUEST_SECONDS + SECONDS_A_MEGAPIXEL * megapixels, REQUEST_MEGABYTES + MEGABYTES_A_MEGAPIXEL * megapixels
    )
