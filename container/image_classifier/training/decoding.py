"""Decode many pictures in parallel, in order, into uint8 pixels; count what cannot be decoded."""

import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from image_classifier import imaging
from image_classifier.contract.errors import PlatformError, UserError
from image_classifier.inference.processors import available_processors
from image_classifier.training.dataset import Example

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Skipped:
    """A picture that could not be used, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Decoder:
    """How this job turns files into pixels."""

    size: tuple[int, int]
    """Height and width in pixels."""
    resize_method: str

    def __call__(self, path: Path) -> Pixels:
        """Decode one file to (height, width, 3) uint8.

        Raises:
            ImageRejected: The file is no picture that this program reads.
        """
        return imaging.load_pixels(path.read_bytes(), self.size, self.resize_method)

    def attempt(self, example: Example) -> Pixels | Skipped:
        """Decode one picture, or say why not."""
        try:
            return self(example.path)
        except (imaging.ImageRejected, OSError) as error:
            return Skipped(example.path, str(error))

    def in_order(self, examples: Sequence[Example]) -> Iterator[Pixels | Skipped]:
        """Decode pictures with one thread a core, a bounded number ahead of the reader, in the given order."""
        threads = available_processors()
        with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
            ahead: deque[Future[Pixels | Skipped]] = deque()
            for example in examples:
                ahead.append(pool.submit(self.attempt, example))
                if len(ahead) > 64 * threads:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()


@dataclass(frozen=True)
class PixelStore:
    """Decoded pictures of one part of the data, in the order of their examples."""

    pixels: Pixels
    """(n, height, width, 3) uint8, in memory or in a scratch file."""
    examples: tuple[Example, ...]
    skipped: tuple[Skipped, ...]


def decode_all(
    decoder: Decoder, examples: Sequence[Example], progress: Callable[[int], None], memory_limit: int | None = None
) -> PixelStore:
    """Decode all pictures once; in memory up to `memory_limit` bytes (a third of what is free), else in a scratch file.

    Raises:
        PlatformError: The scratch file does not fit on the disk.
    """
    shape = (len(examples), *decoder.size, 3)
    store = _allocate(shape, free_memory() // 3 if memory_limit is None else memory_limit)
    kept: list[Example] = []
    skipped: list[Skipped] = []
    for done, (example, result) in enumerate(zip(examples, decoder.in_order(examples), strict=True), start=1):
        if isinstance(result, Skipped):
            skipped.append(result)
        else:
            store[len(kept)] = result
            kept.append(example)
        progress(done)
    return PixelStore(store[: len(kept)], tuple(kept), tuple(skipped))


def _allocate(shape: tuple[int, ...], memory_limit: int) -> Pixels:
    size = int(np.prod(shape))
    if size <= memory_limit:
        return np.empty(shape, np.uint8)
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if size > free:
        raise PlatformError(
            f"The decoded pictures need {size:,} bytes; memory allows {memory_limit:,} and {folder} has {free:,} free. "
            "Use a larger volume, or train_only_top_layer=True."
        )
    # Unlinked at once: the space is given back however the process ends.
    with tempfile.TemporaryFile(dir=folder, prefix="pixels-") as file:
        return np.memmap(file, np.uint8, "w+", shape=shape)


def free_memory() -> int:
    """Return the bytes that this process may still take: the machine's, or the control group's if that is less."""
    meminfo = Path("/proc/meminfo").read_text(encoding="ascii")
    available = next(int(line.split()[1]) * 1024 for line in meminfo.splitlines() if line.startswith("MemAvailable"))
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.is_file() and (text := limit.read_text(encoding="ascii").strip()) != "max":
        available = min(available, int(text) - int(used.read_text(encoding="ascii")))
    return max(available, 0)


def refuse_too_many(skipped: Sequence[Skipped], total: int, max_bad_fraction: float) -> None:
    """Stop the job when more than the allowed share of the pictures could not be read.

    Raises:
        UserError: More than `max_bad_fraction` of `total` were skipped.
    """
    if len(skipped) > max_bad_fraction * total:
        first = "; ".join(f"{item.path.name}: {item.reason}" for item in skipped[:3])
        raise UserError(
            f"{len(skipped)} of {total} pictures could not be read, more than max_bad_fraction={max_bad_fraction:g} "
            f"allows. First: {first}. Repair or remove them, or raise max_bad_fraction."
        )
