"""A Swin transformer (arXiv 2103.14030): attention inside windows, every other time shifted by half a window."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

layers = tf_keras.layers


class WindowAttention(tf_keras.layers.Layer):  # type: ignore[misc]
    """Multi-head attention among the tokens of each window, with a learned bias by their relative position."""

    def __init__(self, heads: int, window: int, shift: int, name: str) -> None:
        super().__init__(name=name)
        self.heads, self.window, self.shift = heads, window, shift

    def build(self, shape: Any) -> None:
        """Create the variables for tokens float32 (n, rows, columns, width)."""
        _, self.rows, self.columns, self.width = shape
        self.qkv, self.project = layers.Dense(3 * self.width), layers.Dense(self.width)
        self.bias = self.add_weight("bias", ((2 * self.window - 1) ** 2, self.heads), initializer="random_normal")

    def call(self, tokens: Any) -> Any:
        """Return tokens of the same shape."""
        if self.shift:
            tokens = tf.roll(tokens, (-self.shift, -self.shift), (1, 2))
        count = self.window**2
        windows = tf.reshape(_windows(tokens, self.rows, self.columns, self.window), (-1, count, self.width))
        parts = tf.reshape(self.qkv(windows), (-1, count, 3, self.heads, self.width // self.heads))
        query, key, value = tf.unstack(tf.transpose(parts, (2, 0, 3, 1, 4)))
        scores = tf.matmul(query, key, transpose_b=True) * (self.width // self.heads) ** -0.5
        near = tf.gather(self.bias, tf.constant(_relative_positions(self.window)))
        scores += tf.transpose(tf.reshape(near, (count, count, self.heads)), (2, 0, 1))
        if self.shift:
            mask = _mask(self.rows, self.columns, self.window, self.shift)
            scores = tf.reshape(scores, (-1, len(mask), self.heads, count, count)) + mask[None, :, None]
            scores = tf.reshape(scores, (-1, self.heads, count, count))
        mixed = tf.transpose(tf.matmul(tf.nn.softmax(scores), value), (0, 2, 1, 3))
        merged = self.project(tf.reshape(mixed, (-1, count, self.width)))
        across = (-1, self.rows // self.window, self.columns // self.window, self.window, self.window, self.width)
        whole = tf.transpose(tf.reshape(merged, across), (0, 1, 3, 2, 4, 5))
        tokens = tf.reshape(whole, (-1, self.rows, self.columns, self.width))
        return tf.roll(tokens, (self.shift, self.shift), (1, 2)) if self.shift else tokens


def _windows(tokens: Any, rows: int, columns: int, window: int) -> Any:
    cut = tf.reshape(tokens, (-1, rows // window, window, columns // window, window, tokens.shape[-1]))
    return tf.transpose(cut, (0, 1, 3, 2, 4, 5))


def _relative_positions(window: int) -> np.ndarray:
    places = np.stack(np.meshgrid(range(window), range(window), indexing="ij")).reshape(2, -1)
    apart = places[:, :, None] - places[:, None] + window - 1
    return np.asarray(apart[0] * (2 * window - 1) + apart[1], np.int32).reshape(-1)


def _mask(rows: int, columns: int, window: int, shift: int) -> np.ndarray:
    """Keep tokens from looking at those that the shift brought in from the other side; (windows, t, t)."""
    regions, number = np.zeros((rows, columns)), 0
    bounds = (slice(0, -window), slice(-window, -shift), slice(-shift, None))
    for down in bounds:
        for across in bounds:
            regions[down, across] = number
            number += 1
    cut = regions.reshape(rows // window, window, columns // window, window).swapaxes(1, 2).reshape(-1, window**2)
    return np.where(cut[:, :, None] == cut[:, None], 0.0, -100.0).astype(np.float32)


def build(
    image_size: tuple[int, int] = (224, 224),
    width: int = 96,
    depths: Sequence[int] = (2, 2, 6, 2),
    heads: Sequence[int] = (3, 6, 12, 24),
    window: int = 7,
    classes: int | None = None,
) -> tf_keras.Model:
    """Return Swin-tiny, or a small one: float32 (n, h, w, 3) to pooled features, or logits with `classes`."""
    inputs = tf_keras.Input((*image_size, 3), name="inputs")
    hidden = layers.LayerNormalization()(layers.Conv2D(width, 4, strides=4, name="patches")(inputs))
    for stage, (depth, count) in enumerate(zip(depths, heads, strict=True)):
        for index in range(depth):
            # Where one window is the whole image there is nothing to shift to.
            shift = window // 2 if index % 2 and min(hidden.shape[1:3]) > window else 0
            attention = WindowAttention(count, window, shift, name=f"attention_{stage}_{index}")
            hidden = layers.Add()([hidden, attention(layers.LayerNormalization()(hidden))])
            inner = layers.Dense(4 * hidden.shape[-1], activation="gelu")(layers.LayerNormalization()(hidden))
            hidden = layers.Add()([hidden, layers.Dense(hidden.shape[-1])(inner)])
        if stage < len(depths) - 1:
            # Four neighbours become one token, as the paper merges them.
            merged = layers.Lambda(lambda tokens: tf.nn.space_to_depth(tokens, 2))(hidden)
            reduced = 2 * hidden.shape[-1]
            hidden = layers.Dense(reduced, use_bias=False)(layers.LayerNormalization()(merged))
    features = layers.GlobalAveragePooling2D()(layers.LayerNormalization()(hidden))
    return tf_keras.Model(inputs, features if classes is None else layers.Dense(classes)(features), name="swin")
