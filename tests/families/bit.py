"""A BiT network (Big Transfer, arXiv 1912.11370): a ResNet V2 with GroupNorm and weight-standardised convolutions.

Images of any size, as the modules of the Hub take.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras

layers = tf_keras.layers
GROUPS = 32
"""Of GroupNorm, as in the paper."""


class StandardisedConv2D(tf_keras.layers.Conv2D):  # type: ignore[misc]
    """A convolution whose kernel has mean 0 and variance 1 in every output channel (arXiv 1903.10520)."""

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Convolve float32 (n, h, w, c) with the standardised kernel."""
        mean, variance = tf.nn.moments(kernel, axes=[0, 1, 2], keepdims=True)
        return super().convolution_op(inputs, (kernel - mean) * tf.math.rsqrt(variance + 1e-10))


def build(
    repeats: Sequence[int] = (3, 4, 6, 3), width: int = 64, classes: int | None = None, bottleneck: bool = True
) -> tf_keras.Model:
    """Return R50x1, or with fewer `repeats` a small one: float32 (n, h, w, 3) to pooled features or logits.

    Logits come with the head of a classifier: `classes` of them. Features are 4·`width`·2^(stages - 1).
    """
    inputs = tf_keras.Input((None, None, 3), name="inputs")
    hidden = layers.ZeroPadding2D(3)(inputs)
    hidden = StandardisedConv2D(width, 7, strides=2, use_bias=False)(hidden)
    hidden = layers.MaxPooling2D(3, strides=2)(layers.ZeroPadding2D(1)(hidden))
    for stage, count in enumerate(repeats):
        for index in range(count):
            stride = 2 if stage and not index else 1
            hidden = _block(hidden, width * 2**stage, stride, shortcut=not index, bottleneck=bottleneck)
    features = layers.GlobalAveragePooling2D()(_normalised(hidden))
    return tf_keras.Model(inputs, features if classes is None else layers.Dense(classes)(features), name="bit")


def _block(hidden: Any, width: int, stride: int, shortcut: bool, bottleneck: bool) -> Any:
    before = _normalised(hidden)
    if shortcut:
        hidden = StandardisedConv2D(4 * width, 1, strides=stride, use_bias=False)(before)
    inner = _normalised(StandardisedConv2D(width, 1, use_bias=False)(before)) if bottleneck else before
    inner = StandardisedConv2D(width, 3, strides=stride, padding="same", use_bias=False)(inner)
    return layers.Add()([hidden, StandardisedConv2D(4 * width, 1, use_bias=False)(_normalised(inner))])


def _normalised(hidden: Any) -> Any:
    return layers.ReLU()(layers.GroupNormalization(min(GROUPS, hidden.shape[-1]))(hidden))
