"""Dynamic loss scaling: keep small float16 gradients from underflowing to 0.

Micikevicius and others, Mixed precision training (2018). Initial value, growth and backoff are those of TensorFlow's
`LossScaleOptimizer`, which wraps a single optimizer and cannot clip the norm over two.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

START = 2.0**15
GROWTH_STEPS = 2000
"""Consecutive finite steps after which the scale doubles."""
_LARGEST = 2.0**126
"""Twice as much is still a float32; only gradients of 0 let the scale grow so far."""


class LossScale:
    """The factor of the loss; create it inside the strategy's scope."""

    def __init__(self) -> None:
        self._scale = tf.Variable(START, trainable=False, dtype=tf.float32, name="loss_scale")
        self._good_steps = tf.Variable(0, trainable=False, dtype=tf.int64, name="loss_scale_good_steps")

    @property
    def variables(self) -> list[Any]:
        """The scale and the number of finite steps since it last changed."""
        return [self._scale, self._good_steps]

    def scaled(self, loss: Any) -> Any:
        """Return the loss times the scale."""
        return loss * tf.convert_to_tensor(self._scale)

    def unscaled(self, gradients: Sequence[Any]) -> list[Any]:
        """Return the gradients of the loss from those of the scaled loss."""
        inverse = 1 / tf.convert_to_tensor(self._scale)
        return [gradient * inverse for gradient in gradients]

    def update_if(self, strategy: Any, finite: Any, update: Callable[[Sequence[Any]], None], gradients: Any) -> None:
        """Call `update` with each replica's gradients if all are finite, and adapt the scale; for `merge_call`.

        `finite` and `gradients` are equal on all replicas.
        """

        def change() -> Any:
            strategy.extended.call_for_each_replica(update, args=(gradients,))
            return self._grow()

        # In cross-replica context: within a replica a branch must not update a variable that all replicas share.
        tf.cond(strategy.experimental_local_results(finite)[0], change, self._shrink)

    def _grow(self) -> Any:
        full = self._good_steps + 1 >= GROWTH_STEPS
        self._scale.assign(tf.where(full, tf.minimum(self._scale * 2, _LARGEST), self._scale))
        self._good_steps.assign(tf.where(full, tf.constant(0, tf.int64), self._good_steps + 1))
        return tf.constant(True)

    def _shrink(self) -> Any:
        self._scale.assign(tf.maximum(self._scale / 2, 1.0))
        self._good_steps.assign(0)
        return tf.constant(False)
