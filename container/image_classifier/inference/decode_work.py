"""How much work of decoding goes together, and who says when it may begin: requests have limits, jobs have none."""

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from image_classifier import imaging
from image_classifier.imaging import Header

BATCH = 32
"""Images that are decoded and classified together: what is in memory at once, however many a request brings."""
HEAVY_PIXELS = 8_000_000
"""Pixels that are decoded in one step: 0.1 to 0.25 s of a CPU. What is more takes a step of its own."""
_SEQUENTIAL_JPEG = 4
"""So many pixels of a JPEG of one scan, which is decoded reduced, cost what one of another image does."""


class Work(Protocol):
    """What the sender of images may take of this machine."""

    @property
    def max_pixels(self) -> int:
        """Width times height that an image's header may state."""
        ...

    def admit(self, header: Header, memory: int) -> None:
        """Check an image before it is decoded, which takes `memory` bytes.

        Raises:
            ImageRejected: It, or all images so far together, exceed a limit.
        """
        ...

    def step(self, heavy: bool) -> AbstractContextManager[None]:
        """Hold the right to decode and classify a few images, or a heavy one."""
        ...

    def memory(self, size: int) -> AbstractContextManager[None]:
        """Hold memory of `size` bytes while an image is decoded."""
        ...


class UnboundedWork:
    """The work of a job, which has the machine to itself."""

    max_pixels = imaging.DEFAULT_MAX_PIXELS

    def admit(self, header: Header, memory: int) -> None:
        """Admit every image."""

    def step(self, heavy: bool) -> AbstractContextManager[None]:
        """Begin at once."""
        return contextlib.nullcontext()

    def memory(self, size: int) -> AbstractContextManager[None]:
        """Leave it to the system."""
        return contextlib.nullcontext()


UNBOUNDED: Work = UnboundedWork()


def cost(header: Header) -> int:
    """Return what decoding costs, in pixels of an image that is decoded at full size."""
    reduced = header.format == "JPEG" and header.coefficient_bytes == 0
    return header.pixels // _SEQUENTIAL_JPEG if reduced else header.pixels


def steps(headers: Sequence[Header]) -> Iterator[tuple[int, int, bool]]:
    """Cut images into steps: where each begins and ends, and whether it is heavy; at most `BATCH` images in one."""
    start = total = 0
    for index, header in enumerate(headers):
        more = cost(header)
        if index > start and (index - start == BATCH or total + more > HEAVY_PIXELS):
            yield start, index, total > HEAVY_PIXELS
            start, total = index, 0
        total += more
    if headers:
        yield start, len(headers), total > HEAVY_PIXELS
