"""The features of all images while they are computed: in memory or in a scratch file, exchanged between hosts."""

import math
import os
import tempfile

import numpy as np
from numpy.typing import NDArray

from image_classifier.contract.errors import PlatformError
from image_classifier.resources.memory import available_bytes
from image_classifier.training.distributed.cluster import Cluster

_AT_ONCE = 1024
"""Rows that are moved or exchanged at a time."""


class FeatureRows:
    """A row for each of `count` images, in one array that is allocated once the number of features is known."""

    def __init__(self, count: int, memory_limit: int | None = None) -> None:
        self.count = count
        self._memory_limit = memory_limit
        self.features: NDArray[np.float32] = np.empty((0, 0), np.float32)
        """(count, feature count), or empty until the first features are stored."""
        self.known = np.zeros(count, bool)
        """Which images were processed, readable or not."""
        self.unreadable: dict[int, str] = {}
        """Index to the reason."""

    def put(self, indices: slice | list[int], features: NDArray[np.float32]) -> None:
        """Store the features of some images.

        Raises:
            PlatformError: The array fits neither in a third of the free memory nor on the disk.
        """
        self._ensure_allocated(features.shape[1])
        self.features[indices] = features
        self.known[indices] = True

    def put_unreadable(self, reasons: dict[int, str]) -> None:
        """Store why some images have no features."""
        self.unreadable.update(reasons)
        self.known[list(reasons)] = True

    def part(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return rows; those of unreadable images are undefined, and the width is 0 when no image was readable."""
        return self.features[start:stop] if self.features.size else np.empty((stop - start, 0), np.float32)

    def readable(self) -> NDArray[np.float32]:
        """Return the rows of the readable images in order, compacted in place; call it last."""
        if not self.unreadable:
            return self.features
        is_readable = np.ones(self.count, bool)
        is_readable[list(self.unreadable)] = False
        filled = 0
        for start in range(0, len(self.features), _AT_ONCE):
            rows = self.features[start : start + _AT_ONCE][is_readable[start : start + _AT_ONCE]]
            self.features[filled : filled + len(rows)] = rows
            filled += len(rows)
        return self.features[:filled]

    def exchange(self, part: slice, cluster: Cluster) -> None:
        """Exchange the rows of this host's part with all other hosts. Collective: every host must call it."""
        if cluster.count == 1:
            return
        parts = cluster.gather_json([part.start, part.stop, self.features.shape[1], list(self.unreadable.items())])
        for _, _, _, reasons in parts:
            self.unreadable.update(reasons)
        self.known[:] = True
        width = max(width for _, _, width, _ in parts)
        if not width:
            return
        self._ensure_allocated(width)
        for offset in range(0, max(stop - start for start, stop, _, _ in parts), _AT_ONCE):
            slices = [
                slice(min(start + offset, stop), min(start + offset + _AT_ONCE, stop)) for start, stop, *_ in parts
            ]
            received = cluster.gather(self.features[slices[cluster.rank]])
            for rows in slices:
                count = rows.stop - rows.start
                self.features[rows] = received[:count]
                received = received[count:]

    def _ensure_allocated(self, width: int) -> None:
        if self.features.shape[1] != width:
            self.features = allocate((self.count, width), self._memory_limit)


def joined(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the rows of both, (n, D) and (m, D), in a file if they need more memory than a job may take.

    Raises:
        PlatformError: The disk lacks the space for the file.
    """
    rows = allocate((len(one) + len(other), one.shape[1]))
    rows[: len(one)], rows[len(one) :] = one, other
    return rows


def allocate(shape: tuple[int, int], memory_limit: int | None = None) -> NDArray[np.float32]:
    """Return zeros in memory, or in a scratch file above `memory_limit` bytes, by default a third of the free memory.

    Raises:
        PlatformError: The disk lacks the space for the file.
    """
    size = 4 * math.prod(shape)
    memory_limit = available_bytes() // 3 if memory_limit is None else memory_limit
    if size <= memory_limit:
        return np.zeros(shape, np.float32)
    # Unlinked immediately: the space is freed however the process ends.
    with tempfile.TemporaryFile(prefix="features-") as file:
        try:
            # Reserved now: a full disk during a later write to the mapping would kill the process by SIGBUS.
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            raise PlatformError(
                f"The features of {shape[0]:,} images need {size:,} bytes; memory allows {memory_limit:,} and "
                f"{tempfile.gettempdir()} lacks the space: {error.strerror}. Use a larger instance or volume."
            ) from error
        return np.memmap(file, np.float32, "r+", shape=shape)
