"""Weight updates from the gradients of all devices: summed, unscaled, clipped, applied."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras

from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.training.loop.loss_scaling import LossScale


class FusedAdam(tf_keras.optimizers.Adam):  # type: ignore[misc]
    """Adam of tf_keras as one fused operation per variable instead of fifteen; same slots, equal up to rounding.

    Kingma, Ba, Adam (2015), in the form with ε outside the bias correction. A step takes as long as with tf_keras;
    tracing the step of a whole network takes more than a second less.
    """

    def update_step(self, gradient: Any, variable: Any) -> None:
        """Update a variable and its two moments from a dense gradient."""
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
            raise AssertionError(f"unimplemented optimizer {other}")


class Optimizers:
    """The optimizers of head and backbone, each with its own learning rate; create it in the strategy's scope."""

    def __init__(
        self,
        values: Hyperparameters,
        head_variables: Sequence[Any],
        backbone_variables: Sequence[Any],
        precision: str,
    ) -> None:
        """Take the trainable variables of both parts; none for a backbone that is never trained.

        `precision` is the result of `precision.choose`: with float16 the loss is scaled.
        """
        self._clip_norm = values.gradient_clip_norm
        self._factors = [1.0]
        self._parts = [list(head_variables)]
        if backbone_variables:
            self._factors.append(values.backbone_learning_rate_factor)
            self._parts.append(list(backbone_variables))
        self._optimizers = [build_optimizer(values) for _ in self._parts]
        for optimizer, variables in zip(self._optimizers, self._parts, strict=True):
            # Create all slots now, so that a checkpoint can be restored into them before the first step.
            optimizer.build(variables)
        self._scale = LossScale() if precision == "float16" else None
        self._rate: float | None = None
        self.set_rate(values.learning_rate)

    @property
    def variables(self) -> list[Any]:
        """All state of the optimizers: slots and step counts, and the loss scale with its count."""
        state = [variable for optimizer in self._optimizers for variable in optimizer.variables]
        return state + (self._scale.variables if self._scale else [])

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the next steps: `rate` for the head, a share of it for the backbone."""
        if rate != self._rate:
            self._rate = rate
            for optimizer, factor in zip(self._optimizers, self._factors, strict=True):
                optimizer.learning_rate = rate * factor

    def scaled(self, loss: Any) -> Any:
        """Return the loss, a float32 scalar, whose gradients `apply` expects: scaled with float16, else unchanged."""
        return self._scale.scaled(loss) if self._scale else loss

    def apply(self, head_gradients: Sequence[Any], backbone_gradients: Sequence[Any] | None = None) -> None:
        """Update the weights, in replica context, with this replica's gradients of the scaled loss.

        The gradients are summed over all replicas. `gradient_clip_norm` limits the unscaled norm of that sum over both
        parts (Pascanu, Mikolov, Bengio, On the difficulty of training recurrent neural networks, 2013). With float16
        and a gradient that is not finite, only the scale changes. None is the gradient of a variable that the loss
        does not depend on, and stands for all gradients of a backbone that is not trained in this step.
        """
        parts = [head_gradients] if backbone_gradients is None else [head_gradients, backbone_gradients]
        tensors = [tf.convert_to_tensor(one) for part in parts for one in part if one is not None]
        context = tf.distribute.get_replica_context()
        summed = context.all_reduce(tf.distribute.ReduceOp.SUM, tensors)
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
