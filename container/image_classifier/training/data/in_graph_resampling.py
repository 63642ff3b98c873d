"""The resize of `imaging.fixed_point` inside a TensorFlow graph, level for level.

8-bit levels are multiplied by weights of 16 bits, first along the rows, then along the columns, and rounded to whole
levels after each. Doubles hold these products and sums exactly, so nothing depends on the order of a sum.
"""

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from image_classifier.imaging.fixed_point import MAX_PRECISION


def _triangle(x: Any) -> Any:
    return tf.maximum(1 - tf.abs(x), 0)


def _cubic(x: Any) -> Any:
    # Keys 1981 with a = -0.5.
    x = tf.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * -0.5
    return tf.where(x < 1, near, tf.where(x < 2, far, 0))


def _lanczos3(x: Any) -> Any:
    return tf.where(tf.abs(x) < 3, _sinc(x) * _sinc(x / 3), 0)


def _sinc(x: Any) -> Any:
    angle = math.pi * x
    return tf.where(tf.equal(x, 0), tf.ones_like(x), tf.sin(angle) / tf.where(tf.equal(x, 0), tf.ones_like(x), angle))


_FILTERS: dict[str, tuple[float, Callable[[Any], Any]]] = {
    "bilinear": (1.0, _triangle),
    "bicubic": (2.0, _cubic),
    "lanczos3": (3.0, _lanczos3),
}
METHODS = tuple(_FILTERS)


def resize(image: Any, size: tuple[int, int], method: str) -> Any:
    """Resize uint8 pixels (h, w, 3) to uint8 (height, width, 3) of `size` by one of `METHODS`."""
    shape = tf.shape(image)
    factors, unit = _weights(shape[1], size[1], method)
    rows = _whole_levels(tf.tensordot(tf.cast(image, tf.float64), factors, [[1], [1]]), unit)
    factors, unit = _weights(shape[0], size[0], method)
    both = _whole_levels(tf.tensordot(rows, factors, [[0], [1]]), unit)
    # (channels, width, height) by now.
    return tf.cast(tf.transpose(both, (2, 1, 0)), tf.uint8)


def _whole_levels(sums: Any, unit: Any) -> Any:
    return tf.clip_by_value(tf.floor((sums + unit / 2) / unit), 0, 255)


def _weights(source: Any, target: int, method: str) -> tuple[Any, Any]:
    """Return whole numbers as float64 (target, source), and the power of two that a row adds up to, about."""
    radius, kernel = _FILTERS[method]
    ratio = tf.cast(source, tf.float64) / target
    stretch = tf.maximum(ratio, 1)
    centre = (tf.range(target, dtype=tf.float64)[:, tf.newaxis] + 0.5) * ratio
    index = tf.range(tf.cast(source, tf.float64), dtype=tf.float64)
    first = tf.floor(tf.maximum(centre - radius * stretch, 0))
    last = tf.math.ceil(centre + radius * stretch)
    raw = tf.where((index >= first) & (index < last), kernel((index - (centre - 0.5)) * (1 / stretch)), 0)
    share = raw / tf.reduce_sum(raw, axis=1, keepdims=True)
    units = tf.constant([2.0**bits for bits in range(MAX_PRECISION + 1)], tf.float64)
    # As many bits as leave the largest weight below 2^15.
    fitting = tf.reduce_sum(tf.cast(tf.floor(tf.reduce_max(share) * units[1:] + 0.5) < 2**15, tf.int32))
    unit = units[fitting]
    return tf.sign(share) * tf.floor(tf.abs(share) * unit + 0.5), unit
