"""The twin of `imaging` inside a TensorFlow graph, for servers that have no code of ours.

It differs where TensorFlow does: no EXIF orientation, no limits, no animated WebP, no BMP of fewer than 8 bits a
pixel. Tests measure it against `imaging` for every format and method.
"""

from functools import partial
from typing import Any

import tensorflow as tf

from image_classifier.imaging import JPEG_MARGIN
from image_classifier.training.data import in_graph_resampling


def decode_and_resize(encoded: Any, size: tuple[int, int], method: str) -> Any:
    """Decode one file's bytes (scalar string) to uint8 pixels (height, width, 3) of `size` (height, width).

    Raises:
        InvalidArgumentError: When the graph runs on bytes that TensorFlow cannot decode.
    """
    image = tf.case(
        [
            (tf.io.is_jpeg(encoded), lambda: _jpeg(encoded, size, method)),
            (_has(encoded, 0, b"RIFF"), lambda: _webp(encoded)),
            (_has(encoded, 0, b"BM"), lambda: _bmp(encoded)),
        ],
        default=lambda: _decode(encoded),
    )
    if method in in_graph_resampling.METHODS:
        return in_graph_resampling.resize(image, size, method)
    # `area` and `nearest` ignore antialias, as `imaging` does.
    resized = tf.cast(tf.image.resize(image, size, method, antialias=True), tf.float32)
    return tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8)


def _jpeg(encoded: Any, size: tuple[int, int], method: str) -> Any:
    # Pillow's decoder uses the accurate transform; TensorFlow's default is a faster, coarser one.
    decode = partial(tf.io.decode_jpeg, encoded, channels=3, dct_method="INTEGER_ACCURATE")
    if method == "nearest":
        return decode()
    stored = tf.image.extract_jpeg_shape(encoded)
    spare = tf.reduce_min(stored[:2] // (JPEG_MARGIN * tf.constant(size)))
    reduction = tf.reduce_sum(tf.cast(spare >= tf.constant((2, 4, 8)), tf.int32))
    return tf.switch_case(reduction, [partial(decode, ratio=ratio) for ratio in (1, 2, 4, 8)])


def _webp(encoded: Any) -> Any:
    # Bit 4 says alpha in both headers that have a word for it; TensorFlow then wants to be asked for four channels.
    # Never ask it so, or for any number, of an animation (bit 1): 2.21 writes beyond its buffer and the process dies.
    extended, lossless = _has(encoded, 12, b"VP8X"), _has(encoded, 12, b"VP8L")
    flags = tf.cast(_numbers(encoded, tf.where(lossless, 24, 20), 1, tf.uint8)[0], tf.int32)
    alpha = (lossless & (flags & 0x10 != 0)) | (extended & (flags & 0x12 == 0x10))
    return tf.cond(alpha, lambda: _decode(encoded, channels=4)[..., :3], lambda: _decode(encoded))


def _bmp(encoded: Any) -> Any:
    # TensorFlow takes an index into the palette for a level of grey.
    image = _decode(encoded)
    has_palette = _numbers(encoded, 28, 2, tf.uint16)[0] == 8
    return tf.cond(has_palette, lambda: tf.gather(_palette(encoded), tf.cast(image[..., 0], tf.int32)), lambda: image)


def _palette(encoded: Any) -> Any:
    first = 14 + _numbers(encoded, 14, 4, tf.int32)[0]
    raster = _numbers(encoded, 10, 4, tf.int32)[0]
    entries = tf.reshape(_numbers(encoded, first, raster - first, tf.uint8), (-1, 4))
    return entries[:, 2::-1]  # stored as blue, green, red, unused


def _decode(encoded: Any, channels: int = 3) -> Any:
    decoded = tf.io.decode_image(encoded, channels=channels, expand_animations=False)
    # Versions of TensorFlow give a still WebP an axis of frames, whatever its static shape says: (1, h, w, c).
    frames = tf.reshape(decoded, tf.concat([[-1], tf.shape(decoded)[-3:]], axis=0))
    return tf.ensure_shape(frames[0], (None, None, channels))


def _has(encoded: Any, position: int, word: bytes) -> Any:
    # Fewer bytes than this are never an image; the padding keeps `substr` inside them.
    return tf.strings.substr(tf.strings.join([encoded, "\0" * 16]), position, len(word)) == word


def _numbers(encoded: Any, position: Any, length: Any, kind: Any) -> Any:
    return tf.io.decode_raw(tf.strings.substr(encoded, position, length), kind)
