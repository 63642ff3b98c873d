"""The features of all images as they come in: in memory or in a scratch file, from this host and from the others."""

import math
import os
import tempfile

import numpy as np
from numpy.typing import NDArray

from image_classifier.contract.errors import PlatformError
from image_classifier.resources.memory import available_bytes
from image_classifier.training.distributed.cluster import Cluster

_AT_ONCE = 1024
"""Rows that are moved or sent to the other hosts at once."""


class FeatureRows:
    """A row for each of `count` images, in one array that is made when the first features say how wide it is."""

    def __init__(self, count: int, memory_limit: int | None = None) -> None:
        self.count = count
        self._memory_limit = memory_limit
        self.features: NDArray[np.float32] = np.empty((0, 0), np.float32)
        """(count, feature count), or empty as long as nothing is known."""
        self.known = np.zeros(count, bool)
        """Which images were met, readable or not."""
        self.unreadable: dict[int, str] = {}
        """Index to the reason."""

    def put(self, indices: slice | list[int], features: NDArray[np.float32]) -> None:
        """Keep the features of some images.

        Raises:
            PlatformError: The array fits neither into a third of the free memory nor on the disk.
        """
        self._make(features.shape[1])
        self.features[indices] = features
        self.known[indices] = True

    def put_unreadable(self, reasons: dict[int, str]) -> None:
        """Keep why some images have no features."""
        self.unreadable.update(reasons)
        self.known[list(reasons)] = True

    def part(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return rows; those of unreadable images mean nothing, and are of width 0 when no image was readable."""
        return self.features[start:stop] if self.features.size else np.empty((stop - start, 0), np.float32)

    def readable(self) -> NDArray[np.float32]:
        """Return the rows of the readable images in order, moved together in place; nothing can be put after it."""
        if not self.unreadable:
            return self.features
        wanted = np.ones(self.count, bool)
        wanted[list(self.unreadable)] = False
        filled = 0
        for start in range(0, len(self.features), _AT_ONCE):
            rows = self.features[start : start + _AT_ONCE][wanted[start : start + _AT_ONCE]]
            self.features[filled : filled + len(rows)] = rows
            filled += len(rows)
        return self.features[:filled]

    def exchange(self, part: slice, cluster: Cluster) -> None:
        """Give the rows of this host's part to all other hosts, and take theirs; all hosts call it together."""
        if cluster.count == 1:
            return
        told = cluster.gather_json([part.start, part.stop, self.features.shape[1], list(self.unreadable.items())])
        for _, _, _, reasons in told:
            self.unreadable.update(reasons)
        self.known[:] = True
        width = max(width for _, _, width, _ in told)
        if not width:
            return
        self._make(width)
        for offset in range(0, max(stop - start for start, stop, _, _ in told), _AT_ONCE):
            places = [
                slice(min(start + offset, stop), min(start + offset + _AT_ONCE, stop)) for start, stop, *_ in told
            ]
            received = cluster.gather(self.features[places[cluster.rank]])
            for place in places:
                count = place.stop - place.start
                self.features[place] = received[:count]
                received = received[count:]

    def _make(self, width: int) -> None:
        if self.features.shape[1] != width:
            limit = available_bytes() // 3 if self._memory_limit is None else self._memory_limit
            self.features = _allocate((self.count, width), limit)


def _allocate(shape: tuple[int, int], memory_limit: int) -> NDArray[np.float32]:
    size = 4 * math.prod(shape)
    if size <= memory_limit:
        return np.zeros(shape, np.float32)
    # Unlinked at once: the space is given back however the process ends.
    with tempfile.TemporaryFile(prefix="features-") as file:
        try:
            # A disk that is full only when a row is written would end the process by SIGBUS.
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            raise PlatformError(
                f"The features of {shape[0]:,} images need {size:,} bytes; memory allows {memory_limit:,} and "
                f"{tempfile.gettempdir()} does not hold them: {error.strerror}. Use a larger instance or volume."
            ) from error
        return np.memmap(file, np.float32, "r+", shape=shape)
