"""The twin of `imaging` inside a TensorFlow graph, for servers that have no code of ours.

It differs where TensorFlow does: no EXIF orientation, no animated WebP, JPEG always decoded at full scale. Tests
measure it against `imaging` for every format and method.
"""

from typing import Any

import tensorflow as tf

from image_classifier import imaging


def decode_and_resize(encoded: Any, size: tuple[int, int], method: str) -> Any:
    """Decode one file's bytes (scalar string) to uint8 pixels (height, width, 3) of `size` (height, width).

    Raises:
        InvalidArgumentError: When the graph runs on bytes that TensorFlow cannot decode.
    """
    picture = tf.cond(tf.io.is_jpeg(encoded), lambda: _jpeg(encoded), lambda: _other(encoded))
    if method not in imaging.PILLOW_METHODS:
        return _whole_levels(_resize(picture, size, method))
    # Pillow goes along the rows first and rounds to whole levels before it goes along the columns.
    rows = _whole_levels(_resize(picture, (tf.shape(picture)[0], size[1]), method))
    return _whole_levels(_resize(rows, size, method))


def _resize(picture: Any, size: Any, method: str) -> Any:
    # `area` and `nearest` ignore antialias, as `imaging` does.
    return tf.image.resize(picture, size, method, antialias=True)


def _whole_levels(pixels: Any) -> Any:
    return tf.cast(tf.clip_by_value(tf.floor(tf.cast(pixels, tf.float32) + 0.5), 0, 255), tf.uint8)


def _jpeg(encoded: Any) -> Any:
    # Pillow's decoder uses the accurate transform; TensorFlow's default is a faster, coarser one.
    return tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE")


def _other(encoded: Any) -> Any:
    decoded = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    # A still WebP comes with an axis of frames, whatever its static shape says: (1, h, w, 3).
    frames = tf.reshape(decoded, tf.concat([[-1], tf.shape(decoded)[-3:]], axis=0))
    return tf.ensure_shape(frames[0], (None, None, 3))
