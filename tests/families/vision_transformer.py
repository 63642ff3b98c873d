"""A DeiT-like vision transformer (arXiv 2012.12877) that returns its attention beside its features.

So do the transformers of the Hub (DeiT, CaiT): a tuple of the output and the attention of every block.
"""

from typing import Any

import tensorflow as tf
import tf_keras

layers = tf_keras.layers


class Tokens(tf_keras.layers.Layer):  # type: ignore[misc]
    """Patches as a sequence: a class token in front, and learned positions added."""

    def build(self, shape: Any) -> None:
        """Create the variables for patches float32 (n, rows, columns, width)."""
        _, rows, columns, width = shape
        self.first = self.add_weight("first", (1, 1, width), initializer="random_normal")
        self.positions = self.add_weight("positions", (1, rows * columns + 1, width), initializer="random_normal")

    def call(self, patches: Any) -> Any:
        """Return tokens float32 (n, rows·columns + 1, width)."""
        count, width = self.positions.shape[1], self.positions.shape[2]
        sequence = tf.reshape(patches, (-1, count - 1, width))
        first = tf.broadcast_to(self.first, (tf.shape(patches)[0], 1, width))
        return tf.concat([first, sequence], axis=1) + self.positions


def build(
    image_size: tuple[int, int] = (224, 224),
    patch: int = 16,
    width: int = 192,
    heads: int = 3,
    depth: int = 12,
    classes: int | None = None,
) -> tf_keras.Model:
    """Return DeiT-tiny, or a small one: float32 (n, h, w, 3) to (output, {block: attention (n, heads, t, t)}).

    The output is the class token, float32 (n, `width`), or with `classes` their logits.
    """
    inputs = tf_keras.Input((*image_size, 3), name="inputs")
    hidden = Tokens(name="tokens")(layers.Conv2D(width, patch, strides=patch, name="patches")(inputs))
    attention = {}
    for index in range(depth):
        normed = layers.LayerNormalization(epsilon=1e-6)(hidden)
        attended, scores = layers.MultiHeadAttention(heads, width // heads, name=f"attention_{index}")(
            normed, normed, return_attention_scores=True
        )
        attention[f"block_{index}"] = scores
        hidden = layers.Add()([hidden, attended])
        inner = layers.Dense(4 * width, activation="gelu")(layers.LayerNormalization(epsilon=1e-6)(hidden))
        hidden = layers.Add()([hidden, layers.Dense(width)(inner)])
    output = layers.LayerNormalization(epsilon=1e-6)(hidden)[:, 0]
    return tf_keras.Model(inputs, (output if classes is None else layers.Dense(classes)(output), attention), name="vit")
