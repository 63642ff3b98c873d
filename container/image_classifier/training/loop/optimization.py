"""One update of the weights from the gradients of all devices: summed, unscaled, clipped, applied."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras

from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.training.loop.loss_scaling import LossScale


class FusedAdam(tf_keras.optimizers.Adam):  # type: ignore[misc]
    """tf_keras's Adam, with its slots and to rounding its numbers, as one operation of a variable instead of fifteen.

    Kingma, Ba, Adam (2015), in the form with ε outside the bias correction. A step takes as long as before; tracing
    it for a whole network takes more than a second less.
    """

    def update_step(self, gradient: Any, variable: Any) -> None:
        """Change a variable and its two moments by a dense gradient."""
        index = self._index_dict[self._var_key(variable)]
        first, second = self._momentums[index], self._velocities[index]
        step = tf.cast(self.iterations + 1, variable.dtype)
        beta_1, beta_2 = (tf.constant(beta, variable.dtype) for beta in (self.beta_1, self.beta_2))
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=first.handle,
            v=second.handle,
            beta1_power=beta_1**step,
            beta2_power=beta_2**step,
            lr=tf.cast(self.learning_rate, variable.dtype),
            beta1=beta_1,
            beta2=beta_2,
            epsilon=tf.constant(self.epsilon, variable.dtype),
            grad=gradient,
        )


def build_optimizer(values: Hyperparameters) -> Any:
    """Return the Keras optimizer that the hyperparameters name."""
    rate, epsilon = values.learning_rate, values.epsilon
    optimizers = tf_keras.optimizers
    match values.optimizer:
        case "adam":
            return FusedAdam(rate, beta_1=values.beta_1, beta_2=values.beta_2, epsilon=epsilon)
        case "sgd":
            return optimizers.SGD(rate, momentum=values.momentum)
        case "nesterov":
            return optimizers.SGD(rate, momentum=values.momentum, nesterov=True)
        case "rmsprop":
            return optimizers.RMSprop(rate, rho=values.rho, momentum=values.momentum, epsilon=epsilon)
        case "adagrad":
            start = values.initial_accumulator_value
            return optimizers.Adagrad(rate, initial_accumulator_value=start, epsilon=epsilon)
        case "adadelta":
            return optimizers.Adadelta(rate, rho=values.rho, epsilon=epsilon)
        case other:
            raise AssertionError(f"undeclared optimizer {other}")


class Optimizers:
    """What updates the head and, at a rate of its own, the backbone; to be made inside the strategy's scope."""

    def __init__(
        self,
        values: Hyperparameters,
        head_variables: Sequence[Any],
        backbone_variables: Sequence[Any],
        precision: str,
    ) -> None:
        """Take the trainable variables of both parts; those of a backbone that is never trained are left out.

        `precision` is what `precision.choose` returns: with float16 the loss is scaled.
        """
        self._clip_norm = values.gradient_clip_norm
        self._factors = [1.0]
        self._parts = [list(head_variables)]
        if backbone_variables:
            self._factors.append(values.backbone_learning_rate_factor)
            self._parts.append(list(backbone_variables))
        self._optimizers = [build_optimizer(values) for _ in self._parts]
        for optimizer, variables in zip(self._optimizers, self._parts, strict=True):
            # All slots now, so that a checkpoint can be read into them before the first step.
            optimizer.build(variables)
        self._scale = LossScale() if precision == "float16" else None
        self._rate: float | None = None
        self.set_rate(values.learning_rate)

    @property
    def variables(self) -> list[Any]:
        """Return all that changes from step to step: slots and step counts, and the loss scale with its count."""
        own = [variable for optimizer in self._optimizers for variable in optimizer.variables]
        return own + (self._scale.variables if self._scale else [])

    def set_rate(self, rate: float) -> None:
        """Let the head learn at `rate` from the next step on, the backbone at its share of it; not inside a step."""
        if rate != self._rate:
            self._rate = rate
            for optimizer, factor in zip(self._optimizers, self._factors, strict=True):
                optimizer.learning_rate = rate * factor

    def scaled(self, loss: Any) -> Any:
        """Return the loss, a float32 scalar, whose gradients `apply` takes: scaled up with float16, else as it is."""
        return self._scale.scaled(loss) if self._scale else loss

    def apply(self, head_gradients: Sequence[Any], backbone_gradients: Sequence[Any] | None = None) -> None:
        """Update the weights, in replica context, with this replica's gradients of the scaled loss.

        They are summed over all replicas. What `gradient_clip_norm` limits is the norm of that sum over both parts
        (Pascanu, Mikolov, Bengio, On the difficulty of training recurrent neural networks, 2013), unscaled. With
        float16 nothing but the scale changes when one of them is not finite. None stands for the gradient of a
        variable that the loss does not depend on, and for all of a backbone that is not trained in this step.
        """
        parts = [head_gradients] if backbone_gradients is None else [head_gradients, backbone_gradients]
        held = [[tf.convert_to_tensor(one) for one in part if one is not None] for part in parts]
        context = tf.distribute.get_replica_context()
        summed = context.all_reduce(tf.distribute.ReduceOp.SUM, [one for part in held for one in part])
        present = [[one is not None for one in part] for part in parts]
        if not self._scale:
            self._update(present, self._clipped(summed))
            return
        scale, unscaled = self._scale, self._scale.unscaled(summed)
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(gradient)) for gradient in unscaled])

        def update_all(strategy: Any, finite: Any, gradients: Any) -> None:
            scale.update_if(strategy, finite, lambda own: self._update(present, own), gradients)

        context.merge_call(update_all, args=(finite, self._clipped(unscaled)))

    def _clipped(self, gradients: list[Any]) -> list[Any]:
        clipped: list[Any] = gradients
        if self._clip_norm:
            clipped, _ = tf.clip_by_global_norm(gradients, self._clip_norm)
        return clipped

    def _update(self, present: Sequence[Sequence[bool]], gradients: Sequence[Any]) -> None:
        remaining = iter(gradients)
        for optimizer, variables, known in zip(self._optimizers, self._parts, present, strict=False):
            pairs = [(next(remaining), variable) for variable, has in zip(variables, known, strict=True) if has]
            optimizer.apply_gradients(pairs, skip_gradients_aggregation=True)
