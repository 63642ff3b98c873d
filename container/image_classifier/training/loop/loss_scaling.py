"""Keep float16's small gradients from becoming 0: scale the loss up, as far as the gradients stay finite.

Micikevicius and others, Mixed precision training (2018); start, growth and cut are those of TensorFlow's
`LossScaleOptimizer`, which holds one optimizer and knows nothing of a norm over two.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

START = 2.0**15
GROWTH_STEPS = 2000
"""Finite steps in a row after which the scale doubles."""
_LARGEST = 2.0**126
"""Its double is still a float32; only gradients of 0 lead here."""


class LossScale:
    """The number that the loss is multiplied by; to be made inside the strategy's scope."""

    def __init__(self) -> None:
        self._scale = tf.Variable(START, trainable=False, dtype=tf.float32, name="loss_scale")
        self._good_steps = tf.Variable(0, trainable=False, dtype=tf.int64, name="loss_scale_good_steps")

    @property
    def variables(self) -> list[Any]:
        """Return the scale and the number of finite steps since it changed."""
        return [self._scale, self._good_steps]

    def scaled(self, loss: Any) -> Any:
        """Return the loss times the scale."""
        return loss * tf.convert_to_tensor(self._scale)

    def unscaled(self, gradients: Sequence[Any]) -> list[Any]:
        """Return gradients of the scaled loss as those of the loss."""
        inverse = 1 / tf.convert_to_tensor(self._scale)
        return [gradient * inverse for gradient in gradients]

    def update_if(self, strategy: Any, finite: Any, update: Callable[[Sequence[Any]], None], gradients: Any) -> None:
        """Call `update` on each replica's gradients when all are finite, and adapt the scale; for `merge_call`.

        `finite` and `gradients` are equal on all replicas.
        """

        def change() -> Any:
            strategy.extended.call_for_each_replica(update, args=(gradients,))
            return self._grow()

        # Outside the replicas: in one of them a branch must not update a variable that all share.
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
