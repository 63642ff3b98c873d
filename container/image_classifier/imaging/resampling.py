"""TensorFlow's resize methods that Pillow lacks: kernels as two matrix products, one per axis, and nearest.

Kernels and spans are those of `tf.image.resize(antialias=True)` (ScaleAndTranslate) and of its `area` method. Positions
are float32 as in TensorFlow, so that those between two pixels, or on the edge of a kernel, round to the same side.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Kernel = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def _lanczos5(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.where(np.abs(x) < 5, np.sinc(x) * np.sinc(x / 5), 0.0)


def _gaussian(x: NDArray[np.float32]) -> NDArray[np.float32]:
    # Standard deviation: a third of the radius.
    return np.where(np.abs(x) < 1.5, np.exp(-(x**2) / (2 * 0.5**2)), 0.0)


def _mitchell(x: NDArray[np.float32]) -> NDArray[np.float32]:
    # Mitchell and Netravali 1988, B = C = 1/3.
    x = np.abs(x)
    near = ((7 / 6 * x - 2) * x) * x + 8 / 9
    far = ((-7 / 18 * x + 2) * x - 10 / 3) * x + 16 / 9
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


KERNELS: dict[str, tuple[float, Kernel]] = {
    "lanczos5": (5.0, _lanczos5),
    "gaussian": (1.5, _gaussian),
    "mitchellcubic": (2.0, _mitchell),
}
"""Radius in source pixels at scale 1, and the kernel; zero beyond the radius."""
METHODS = ("nearest", "area", *KERNELS)
_HALF = np.float32(0.5)


_CACHED_ENTRIES = 2**20
"""Entries of the largest cached matrix, 4 MiB: at most 128 MiB in all, whatever sizes clients send."""
_BLOCK_LEVELS = 2**22
"""Values of an image that are float32 at the same time, 16 MiB: a large image is processed in strips of rows."""


def weights(method: str, source: int, target: int) -> NDArray[np.float32]:
    """Return the float32 matrix (target, source), whose rows sum to 1.

    Raises:
        KeyError: The method is `nearest`, which has no weights, or unknown.
    """
    make = _kept_weights if source * target <= _CACHED_ENTRIES else _new_weights
    return make(method, source, target)


def _new_weights(method: str, source: int, target: int) -> NDArray[np.float32]:
    ratio = np.float32(1) / (np.float32(target) / np.float32(source))
    centre = (np.arange(target, dtype=np.float32)[:, None] + _HALF) * ratio
    stretch = max(ratio, np.float32(1))
    reach = ratio / 2 if method == "area" else KERNELS[method][0] * stretch
    # Each row is zero except for a span, the only part for which the kernel is computed.
    first = np.maximum(np.floor(centre - reach - _HALF), 0).astype(np.intp)
    pixels = first + np.arange(int(2 * reach) + 3)
    distance = pixels.astype(np.float32) + _HALF - centre
    if method == "area":
        span = np.clip(np.minimum(distance + _HALF, reach) - np.maximum(distance - _HALF, -reach), 0, None)
    else:
        span = KERNELS[method][1](distance * (1 / stretch))
    span[pixels >= source] = 0
    matrix = np.zeros((target, source + span.shape[1]), np.float32)
    np.put_along_axis(matrix, pixels, span / span.sum(axis=1, keepdims=True), axis=1)
    return np.ascontiguousarray(matrix[:, :source])


_kept_weights = lru_cache(maxsize=32)(_new_weights)


def resize(pixels: NDArray[np.uint8], size: tuple[int, int], method: str) -> NDArray[np.uint8]:
    """Resize pixels (h, w, 3) to `size` (height, width) with one of `METHODS`; rounded and clipped to uint8."""
    height, width, channels = pixels.shape
    if method == "nearest":
        return pixels[_nearest(height, size[0])][:, _nearest(width, size[1])]
    if height * size[1] < width * size[0]:
        # The axis that shrinks more is first, so that an image of a single row does not grow before it shrinks.
        turned = resize(pixels.transpose(1, 0, 2), (size[1], size[0]), method)
        return np.ascontiguousarray(turned.transpose(1, 0, 2))
    vertical = weights(method, height, size[0])
    rows = np.zeros((size[0], width * channels), np.float32)
    strip = max(1, _BLOCK_LEVELS // (width * channels))
    for first in range(0, height, strip):
        share = vertical[:, first : first + strip]
        touched = share.any(axis=1)
        levels = pixels[first : first + strip].reshape(-1, width * channels)
        rows[touched] += share[touched] @ levels.astype(np.float32)
    both = np.matmul(weights(method, width, size[1]), rows.reshape(size[0], width, channels))
    return np.asarray(np.clip(np.rint(both), 0, 255), np.uint8)


def _nearest(source: int, target: int) -> NDArray[np.intp]:
    ratio = np.float32(source) / np.float32(target)
    picked = np.floor((np.arange(target, dtype=np.float32) + _HALF) * ratio)
    return np.asarray(np.minimum(picked, source - 1), np.intp)
