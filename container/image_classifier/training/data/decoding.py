"""Decode many images in parallel into uint8 pixels, on demand; record the unreadable ones."""

import errno
import math
import os
import shutil
import tempfile
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from image_classifier import imaging
from image_classifier.class_folders.listing import Example
from image_classifier.class_folders.storage import Storage
from image_classifier.contract.errors import PlatformError, UserError
from image_classifier.contract.file_kinds import HEAD_BYTES, kind_of
from image_classifier.contract.names import on_one_line
from image_classifier.resources.memory import available_bytes
from image_classifier.resources.processors import available_processors

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Skipped:
    """An unreadable image, and the reason."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Decoder:
    """How this job turns files into pixels."""

    size: tuple[int, int]
    """Height and width in pixels."""
    resize_method: str
    storage: Storage = field(default_factory=Storage, repr=False, compare=False)

    def __call__(self, path: Path) -> Pixels:
        """Decode one file to (height, width, 3) uint8.

        Raises:
            ImageRejected: The file is not an image that this program reads.
            PlatformError: The storage does not return the file.
        """
        return self._pixels(self.storage.read(path))

    def _pixels(self, content: bytes) -> Pixels:
        return imaging.load_pixels(content, self.size, self.resize_method)

    def attempt(self, example: Example) -> Pixels | Skipped:
        """Decode one image, or return why it is unreadable.

        Raises:
            PlatformError: The storage does not return the file, which says nothing about the image.
        """
        content = self.storage.read(example.path)
        try:
            return self._pixels(content)
        except imaging.ImageRejected as error:
            kind = kind_of(content[:HEAD_BYTES]) if error.code == imaging.UNSUPPORTED else None
            return Skipped(example.path, f"{error} It is {kind.name}: {kind.remedy}." if kind else str(error))

    def in_order(self, examples: Sequence[Example]) -> Iterator[Pixels | Skipped]:
        """Decode images in order with one thread per CPU, a bounded number ahead of the consumer.

        Raises:
            PlatformError: The storage does not return a file; the message counts concurrent failures too.
        """
        threads = available_processors()
        pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        ahead: deque[Future[Pixels | Skipped]] = deque()
        try:
            for example in examples:
                ahead.append(pool.submit(self.attempt, example))
                if len(ahead) > 64 * threads:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        except PlatformError as error:
            pool.shutdown(cancel_futures=True)
            raise (self.storage.error() if self.storage.failed else error) from error
        finally:
            pool.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class _ScratchFile:
    """Rows of bytes in an unlinked file, whose space is freed however the process ends."""

    file: IO[bytes]
    row: tuple[int, ...]

    def __post_init__(self) -> None:
        weakref.finalize(self, self.file.close)

    def __setitem__(self, index: int, pixels: Pixels) -> None:
        if os.pwrite(self.file.fileno(), pixels.tobytes(), index * pixels.size) < pixels.size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def __getitem__(self, index: int) -> Pixels:
        size = math.prod(self.row)
        return np.frombuffer(os.pread(self.file.fileno(), size, index * size), np.uint8).reshape(self.row)


class CachedImages:
    """Images of one split, each decoded on first use and cached while there is room.

    The cache is in memory if all fit in `memory_limit` bytes (by default a third of the free memory), else in a scratch
    file of at most half of the free disk; the remaining images are decoded each time.
    """

    def __init__(
        self,
        decoder: Decoder,
        examples: Sequence[Example],
        progress: Callable[[int], None] = lambda done: None,
        memory_limit: int | None = None,
    ) -> None:
        self._decoder, self._examples, self._progress = decoder, examples, progress
        self._met = np.zeros(len(examples), bool)
        self.shape = (len(examples), *decoder.size, 3)
        self.dtype = np.dtype(np.uint8)
        self._kept = np.zeros(len(examples), bool)
        self.unreadable: dict[int, str] = {}
        """Unreadable images met so far: index to the reason."""
        limit = available_bytes() // 3 if memory_limit is None else memory_limit
        self._store, self._room = _allocate(self.shape, limit)
        self._pool = ThreadPoolExecutor(available_processors(), thread_name_prefix="decode")

    def __len__(self) -> int:
        return len(self._examples)

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """Unreadable images met so far, in order."""
        return tuple(Skipped(self._examples[index].path, self.unreadable[index]) for index in sorted(self.unreadable))

    def take(self, indices: NDArray[np.int64]) -> tuple[Pixels, NDArray[np.int64]]:
        """Return the readable ones of `indices`: pixels uint8 (m, height, width, 3), and their indices (m,)."""
        if isinstance(self._store, np.ndarray) and self._kept[indices].all():
            return self._store[indices], indices
        found = list(self._pool.map(self._one, indices.tolist()))
        if not self._met[indices].all():
            self._met[indices] = True
            self._progress(int(self._met.sum()))
        usable = [pixels for pixels in found if pixels is not None]
        chosen = np.array([index for index, pixels in zip(indices, found, strict=True) if pixels is not None], np.int64)
        return np.stack(usable) if usable else np.empty((0, *self.shape[1:]), np.uint8), chosen

    def _one(self, index: int) -> Pixels | None:
        if index in self.unreadable:
            return None
        if self._kept[index]:
            pixels: Pixels = self._store[index]
            return pixels
        result = self._decoder.attempt(self._examples[index])
        if isinstance(result, Skipped):
            self.unreadable[index] = result.reason
            return None
        self._keep(index, result)
        return result

    def _keep(self, index: int, pixels: Pixels) -> None:
        if self._room <= 0:
            return
        try:
            self._store[index] = pixels
        except OSError:  # the disk is full: images that are not cached are decoded again
            self._room = 0
            return
        self._room -= 1
        self._kept[index] = True


def _allocate(shape: tuple[int, ...], memory_limit: int) -> tuple[Pixels | _ScratchFile, int]:
    # Untouched memory is not allocated, and the file grows as it is written.
    if math.prod(shape) <= memory_limit:
        return np.empty(shape, np.uint8), shape[0]
    # Half of the disk is left for the model and other output.
    room = shutil.disk_usage(tempfile.gettempdir()).free // 2 // math.prod(shape[1:])
    return _ScratchFile(tempfile.TemporaryFile(prefix="pixels-"), shape[1:]), room


def reject_too_many(skipped: Sequence[Skipped], total: int, max_bad_fraction: float) -> None:
    """Fail the job when more than the allowed share of the images is unreadable.

    Raises:
        UserError: More than `max_bad_fraction` of `total` were skipped.
    """
    if len(skipped) > max_bad_fraction * total:
        first = "; ".join(f"{on_one_line(item.path.name)}: {item.reason}" for item in skipped[:3])
        raise UserError(
            f"{len(skipped)} of {total} images could not be read, more than max_bad_fraction={max_bad_fraction:g} "
            f"allows. First: {first}. Repair or remove them, or raise max_bad_fraction."
        )
