"""The update rules of the job's optimizers in NumPy, in place, for the trials of a search.

Each rule is that of tf_keras 2.21 or, for adam, of TensorFlow's fused operation (see `loop.optimization`), with the
same slots and the same places of epsilon.
"""

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from image_classifier.contract.hyperparameters import Hyperparameters

Array = NDArray[np.float32]

_TINY = 5e-324
"""In place of 0, by which beta_1=1 would divide: as in float32 the weights become infinite or NaN."""


class UpdateRule(Protocol):
    """An optimizer of one array of weights, with its state."""

    def update(self, weights: Array, gradient: Array, rate: float) -> None:
        """Change the weights in place by a step at the learning rate `rate`; `gradient` may be overwritten."""


def build(values: Hyperparameters, weights: Array) -> UpdateRule:
    """Return the rule that the hyperparameters name, with fresh state for weights of this shape."""
    match values.optimizer:
        case "adam":
            return _Adam(values, weights)
        case "sgd" | "nesterov":
            return _Sgd(values, weights)
        case "rmsprop":
            return _RmsProp(values, weights)
        case "adagrad":
            return _Adagrad(values, weights)
        case "adadelta":
            return _Adadelta(values, weights)
        case other:
            raise AssertionError(f"unimplemented optimizer {other}")


class _Adam:
    """Kingma, Ba, Adam (2015), in the form with ε outside the bias correction."""

    def __init__(self, values: Hyperparameters, weights: Array) -> None:
        self._beta_1, self._beta_2, self._epsilon = values.beta_1, values.beta_2, values.epsilon
        self._first, self._second = np.zeros_like(weights), np.zeros_like(weights)
        self._scratch, self._step = np.empty_like(weights), 0

    def update(self, weights: Array, gradient: Array, rate: float) -> None:
        self._step += 1
        corrected = rate * math.sqrt(1 - self._beta_2**self._step) / max(1 - self._beta_1**self._step, _TINY)
        scratch = np.subtract(gradient, self._first, out=self._scratch)
        scratch *= 1 - self._beta_1
        self._first += scratch
        np.square(gradient, out=gradient)
        gradient -= self._second
        gradient *= 1 - self._beta_2
        self._second += gradient
        np.sqrt(self._second, out=scratch)
        scratch += self._epsilon
        np.divide(self._first, scratch, out=scratch)
        scratch *= corrected
        weights -= scratch


class _Sgd:
    """Gradient descent with momentum; nesterov looks ahead (Sutskever et al., 2013)."""

    def __init__(self, values: Hyperparameters, weights: Array) -> None:
        self._momentum, self._nesterov = values.momentum, values.optimizer == "nesterov"
        self._velocity = np.zeros_like(weights)

    def update(self, weights: Array, gradient: Array, rate: float) -> None:
        gradient *= rate
        self._velocity *= self._momentum
        self._velocity -= gradient
        if self._nesterov:
            weights -= gradient
            np.multiply(self._velocity, self._momentum, out=gradient)
            weights += gradient
        else:
            weights += self._velocity


class _RmsProp:
    """Hinton's RMSprop (Coursera lecture 6e, 2012), with momentum."""

    def __init__(self, values: Hyperparameters, weights: Array) -> None:
        self._rho, self._momentum, self._epsilon = values.rho, values.momentum, values.epsilon
        self._mean_square, self._velocity = np.zeros_like(weights), np.zeros_like(weights)
        self._scratch = np.empty_like(weights)

    def update(self, weights: Array, gradient: Array, rate: float) -> None:
        _average(self._mean_square, gradient, self._rho, self._scratch)
        np.add(self._mean_square, self._epsilon, out=self._scratch)
        np.sqrt(self._scratch, out=self._scratch)
        gradient *= rate
        gradient /= self._scratch
        self._velocity *= self._momentum
        self._velocity += gradient
        weights -= self._velocity


class _Adagrad:
    """Duchi, Hazan, Singer, Adaptive subgradient methods (2011)."""

    def __init__(self, values: Hyperparameters, weights: Array) -> None:
        self._epsilon = values.epsilon
        self._accumulated = np.full_like(weights, values.initial_accumulator_value)
        self._scratch = np.empty_like(weights)

    def update(self, weights: Array, gradient: Array, rate: float) -> None:
        np.square(gradient, out=self._scratch)
        self._accumulated += self._scratch
        np.add(self._accumulated, self._epsilon, out=self._scratch)
        np.sqrt(self._scratch, out=self._scratch)
        gradient *= rate
        gradient /= self._scratch
        weights -= gradient


class _Adadelta:
    """Zeiler, ADADELTA (2012), with a learning rate."""

    def __init__(self, values: Hyperparameters, weights: Array) -> None:
        self._rho, self._epsilon = values.rho, values.epsilon
        self._mean_square, self._mean_square_change = np.zeros_like(weights), np.zeros_like(weights)
        self._scratch = np.empty_like(weights)

    def update(self, weights: Array, gradient: Array, rate: float) -> None:
        _average(self._mean_square, gradient, self._rho, self._scratch)
        np.add(self._mean_square_change, self._epsilon, out=self._scratch)
        gradient *= np.sqrt(self._scratch, out=self._scratch)
        np.add(self._mean_square, self._epsilon, out=self._scratch)
        gradient /= np.sqrt(self._scratch, out=self._scratch)
        _average(self._mean_square_change, gradient, self._rho, self._scratch)
        gradient *= rate
        weights -= gradient


def _average(mean_square: Array, values: Array, decay: float, scratch: Array) -> None:
    """Move the mean of squares towards the squares of `values`."""
    np.square(values, out=scratch)
    scratch *= 1 - decay
    mean_square *= decay
    mean_square += scratch
