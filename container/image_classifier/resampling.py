"""Resize with TensorFlow's kernels where Pillow has none: two matrix products, one a side.

Kernels and spans are those of `tf.image.resize(antialias=True)` (ScaleAndTranslate) and of its `area` method.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Kernel = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def _lanczos5(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.abs(x) < 5, np.sinc(x) * np.sinc(x / 5), 0.0)


def _gaussian(x: NDArray[np.float64]) -> NDArray[np.float64]:
    # Standard deviation: a third of the radius.
    return np.where(np.abs(x) < 1.5, np.exp(-(x**2) / (2 * 0.5**2)), 0.0)


def _mitchell(x: NDArray[np.float64]) -> NDArray[np.float64]:
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
"""Radius in source pixels at scale 1, and the kernel."""
METHODS = ("area", *KERNELS)


@lru_cache(maxsize=256)
def weights(method: str, source: int, target: int) -> NDArray[np.float32]:
    """Return the matrix (target, source), float32, whose rows add up to 1.

    Raises:
        KeyError: The method is none of `METHODS`.
    """
    ratio = source / target
    pixels = np.arange(source, dtype=np.float64)
    if method == "area":
        start = np.arange(target)[:, None] * ratio
        matrix = np.clip(np.minimum(pixels + 1, start + ratio) - np.maximum(pixels, start), 0, None)
    else:
        radius, kernel = KERNELS[method]
        stretch = max(ratio, 1.0)
        centre = (np.arange(target)[:, None] + 0.5) * ratio
        distance = pixels + 0.5 - centre
        matrix = np.where(np.abs(distance) <= radius * stretch, kernel(distance / stretch), 0.0)
    matrix /= matrix.sum(axis=1, keepdims=True)
    return np.asarray(matrix, np.float32)


def resize(pixels: NDArray[np.uint8], size: tuple[int, int], method: str) -> NDArray[np.uint8]:
    """Resize pixels (h, w, 3) to `size` (height, width); the result is rounded and clipped to uint8."""
    height, width, _ = pixels.shape
    rows = np.tensordot(weights(method, height, size[0]), pixels.astype(np.float32), axes=1)
    both = np.matmul(weights(method, width, size[1]), rows)
    return np.asarray(np.clip(np.rint(both), 0, 255), np.uint8)
