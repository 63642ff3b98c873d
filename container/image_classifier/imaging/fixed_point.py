"""Pillow's three antialiased filters in 16-bit fixed point, first along the rows, then along the columns.

This is the arithmetic of the Rust library `fast_image_resize`, which the package cykooz.resizer brings to x86-64. Other
machines have no wheel of it under Linux: there NumPy computes the same sums exactly, so that no level depends on the
machine. Pillow's weights have 22 bits: its levels differ by one where a sum lies close to a half.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from image_classifier.contract.imaging_versions import HAS_FAST_RESIZER

Pixels = NDArray[np.uint8]
Kernel = Callable[[NDArray[np.float64]], NDArray[np.float64]]

MAX_PRECISION = 21
"""Bits after the point: as many as leave the largest weight of a pass below 2^15, but never more."""
_STRIP_BYTES = 1024 * 1024
"""A pass takes strips of the image, which stay in a processor's cache and need no copy of the whole."""
_CACHED_ENTRIES = 2**18
"""Entries of the largest cached matrix: at most 2 MiB each, 64 MiB in all."""
_FILTERS = {"bilinear": "bilinear", "bicubic": "catmull_rom", "lanczos3": "lanczos3"}
"""Resize methods, and the library's names of their filters."""
METHODS = tuple(_FILTERS)


def resize(image: Image.Image | Pixels, size: tuple[int, int], method: str) -> Pixels:
    """Resize an RGB image, or pixels (h, w, 3), to `size` (height, width) with one of `METHODS`."""
    one_pass = by_library if HAS_FAST_RESIZER else by_numpy
    width, height = image.size if isinstance(image, Image.Image) else image.shape[1::-1]
    if 3 * width * height <= _STRIP_BYTES:
        return one_pass(one_pass(np.asarray(image), 1, size[1], method), 0, size[0], method).copy()
    rows = np.empty((height, size[1], 3), np.uint8)
    for first, last in _strips(height, 3 * width):
        rows[first:last] = one_pass(_rows(image, first, last), 1, size[1], method)
    both = np.empty((*size, 3), np.uint8)
    for first, last in _strips(size[1], 3 * height):
        both[:, first:last] = one_pass(rows[:, first:last], 0, size[0], method)
    return both


def by_library(pixels: Pixels, axis: int, target: int, method: str) -> Pixels:
    """Resize pixels (h, w, 3) along one axis; releases the GIL."""
    from cykooz_resizer import rust_lib, structs

    height, width, _ = pixels.shape
    shape = (target, width) if axis == 0 else (height, target)
    kind = structs.PixelType.U8x3.value
    given = rust_lib.Image(width, height, kind, pixels.tobytes())
    resized = rust_lib.Image(shape[1], shape[0], kind, None)
    # A resizer for each call: a shared one would make threads wait for each other.
    rust_lib.RustResizer().resize(given, resized, _options(method))
    return np.frombuffer(resized.buffer(), np.uint8).reshape(*shape, 3)


@lru_cache
def _options(method: str) -> Any:
    from cykooz_resizer import structs

    convolution = structs.ResizeAlg.convolution(structs.FilterType[_FILTERS[method]])
    return structs.ResizeOptions(convolution).rust_options


def by_numpy(pixels: Pixels, axis: int, target: int, method: str) -> Pixels:
    """Compute what `by_library` does. Every sum is a whole number that its floats hold exactly, in whatever order."""
    moved = np.moveaxis(pixels, axis, 0)
    factors, precision = weights(method, len(moved), target)
    sums = factors @ moved.reshape(len(moved), -1).astype(factors.dtype)
    levels = np.clip(np.floor((sums + 2.0 ** (precision - 1)) / 2.0**precision), 0, 255).astype(np.uint8)
    return np.moveaxis(levels.reshape(target, *moved.shape[1:]), 0, axis)


def weights(method: str, source: int, target: int) -> tuple[NDArray[np.floating], int]:
    """Return whole numbers as floats (target, source), whose rows add up to about 2^precision, and the precision."""
    return (_kept_weights if source * target <= _CACHED_ENTRIES else _new_weights)(method, source, target)


def _new_weights(method: str, source: int, target: int) -> tuple[NDArray[np.floating], int]:
    radius, kernel = KERNELS[method]
    ratio = source / target
    stretch = max(ratio, 1.0)
    centre = (np.arange(target, dtype=np.float64)[:, None] + 0.5) * ratio
    first = np.maximum(np.floor(centre - radius * stretch), 0).astype(np.intp)
    index = first + np.arange(2 * math.ceil(radius * stretch) + 2)
    raw = kernel((index - (centre - 0.5)) * (1 / stretch))
    raw[index >= source] = 0
    share = raw / raw.sum(axis=1, keepdims=True)
    precision = next(
        (bits for bits in range(MAX_PRECISION) if math.floor(share.max() * 2.0 ** (bits + 1) + 0.5) >= 2**15),
        MAX_PRECISION,
    )
    scaled = share * 2.0**precision
    # 24 bits of a float32 hold a level times a weight of 16 bits, and the sums of one output level.
    matrix = np.zeros((target, source + index.shape[1]), np.float32 if precision <= 15 else np.float64)
    np.put_along_axis(matrix, index, np.sign(scaled) * np.floor(np.abs(scaled) + 0.5), axis=1)
    return np.ascontiguousarray(matrix[:, :source]), precision


_kept_weights = lru_cache(maxsize=32)(_new_weights)


def _triangle(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.maximum(1 - np.abs(x), 0), np.float64)


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    # Keys 1981 with a = -0.5.
    x = np.abs(x)
    near, far = (1.5 * x - 2.5) * x * x + 1, (((x - 5) * x + 8) * x - 4) * -0.5
    return np.asarray(np.where(x < 1, near, np.where(x < 2, far, 0)), np.float64)


def _lanczos3(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0), np.float64)


KERNELS: dict[str, tuple[float, Kernel]] = {
    "bilinear": (1.0, _triangle),
    "bicubic": (2.0, _cubic),
    "lanczos3": (3.0, _lanczos3),
}
"""Radius in source pixels at scale 1, and the kernel; zero beyond the radius."""


def _strips(count: int, each: int) -> list[tuple[int, int]]:
    step = max(1, _STRIP_BYTES // each)
    return [(first, min(first + step, count)) for first in range(0, count, step)]


def _rows(image: Image.Image | Pixels, first: int, last: int) -> Pixels:
    if isinstance(image, Image.Image):
        return np.asarray(image.crop((0, first, image.width, last)))
    return image[first:last]
