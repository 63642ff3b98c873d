"""The twin of `imaging` inside a TensorFlow graph, for servers that have no code of ours.

It differs where TensorFlow does: no EXIF orientation, no animated WebP, JPEG always decoded at full scale. Tests
measure it against `imaging` for every format and method.
"""

from typing import Any

import tensorflow as tf

from image_classifier.training import in_graph_resampling


def decode_and_resize(encoded: Any, size: tuple[int, int], method: str) -> Any:
    """Decode one file's bytes (scalar string) to uint8 pixels (height, width, 3) of `size` (height, width).

    Raises:
        InvalidArgumentError: When the graph runs on bytes that TensorFlow cannot decode.
    """
    picture = tf.cond(tf.io.is_jpeg(encoded), lambda: _jpeg(encoded), lambda: _other(encoded))
    if method in in_graph_resampling.METHODS:
        return in_graph_resampling.resize(picture, size, method)
    # `area` and `nearest` ignore antialias, as `imaging` does.
    resized = tf.cast(tf.image.resize(picture, size, method, antialias=True), tf.float32)
    return tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8)


def _jpeg(encoded: Any) -> Any:
    # Pillow's decoder uses the accurate transform; TensorFlow's default is a faster, coarser one.
    return tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE")


def _other(encoded: Any) -> Any:
    decoded = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    # A still WebP comes with an axis of frames, whatever its static shape says: (1, h, w, 3).
    frames = tf.reshape(decoded, tf.concat([[-1], tf.shape(decoded)[-3:]], axis=0))
    return tf.ensure_shape(frames[0], (None, None, 3))
