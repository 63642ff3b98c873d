"""Units of decoding work, and the protocol that admits them: requests are limited, training jobs are not."""

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from image_classifier import imaging
from image_classifier.imaging import Header

BATCH = 32
"""Images decoded and classified together, which bounds memory however many images a request has."""
HEAVY_PIXELS = 8_000_000
"""Pixels decoded in one step, 0.1 to 0.25 s of one CPU. A larger image is heavy and takes a step of its own."""
_SEQUENTIAL_JPEG = 4
"""A pixel of a single-scan JPEG, which is decoded at reduced size, costs this fraction of another image's pixel."""


class Work(Protocol):
    """Resource limits for the sender of some images."""

    @property
    def max_pixels(self) -> int:
        """Largest width times height that an image header may state."""
        ...

    def admit(self, header: Header, memory: int) -> None:
        """Check an image before it is decoded, which needs `memory` bytes.

        Raises:
            ImageRejected: The image, or the total of all images so far, exceeds a limit.
        """
        ...

    def step(self, heavy: bool) -> AbstractContextManager[None]:
        """Hold the permit to decode and classify a few images, or a single heavy one."""
        ...

    def memory(self, size: int) -> AbstractContextManager[None]:
        """Reserve `size` bytes of memory while an image is decoded."""
        ...

    def low_priority(self) -> AbstractContextManager[None]:
        """Limit the concurrency of long work that consists of many steps."""
        ...

    def check(self) -> None:
        """Check between the steps of long work whether its result is still wanted."""
        ...


class UnboundedWork:
    """No limits: the work of a training job, which has the machine to itself."""

    max_pixels = imaging.DEFAULT_MAX_PIXELS

    def admit(self, header: Header, memory: int) -> None:
        """Admit every image."""

    def step(self, heavy: bool) -> AbstractContextManager[None]:
        """Start immediately."""
        return contextlib.nullcontext()

    def memory(self, size: int) -> AbstractContextManager[None]:
        """Reserve nothing."""
        return contextlib.nullcontext()

    def low_priority(self) -> AbstractContextManager[None]:
        """Limit nothing."""
        return contextlib.nullcontext()

    def check(self) -> None:
        """Want every result."""


UNBOUNDED: Work = UnboundedWork()


def cost(header: Header) -> int:
    """Return the cost of decoding, in pixels of an image that is decoded at full size."""
    reduced = header.format == "JPEG" and header.coefficient_bytes == 0
    return header.pixels // _SEQUENTIAL_JPEG if reduced else header.pixels


def is_heavy(header: Header) -> bool:
    """Return whether an image takes a step of its own."""
    return cost(header) > HEAVY_PIXELS


def steps(headers: Sequence[Header]) -> Iterator[tuple[int, int, bool]]:
    """Split images into steps of at most `BATCH` images: start, end, and whether the step is heavy."""
    start = total = 0
    for index, header in enumerate(headers):
        more = cost(header)
        if index > start and (index - start == BATCH or total + more > HEAVY_PIXELS):
            yield start, index, total > HEAVY_PIXELS
            start, total = index, 0
        total += more
    if headers:
        yield start, len(headers), total > HEAVY_PIXELS
