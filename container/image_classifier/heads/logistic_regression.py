"""L2-regularised logistic regression, multinomial or binary, by L-BFGS over blocks of rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from image_classifier.heads.row_blocks import Block, Scaling
from image_classifier.heads.workers import Workers

TOLERANCE = 1e-3
"""The solver stops when no component of the gradient exceeds this part of the largest one at zero weights."""
MAX_ITERATIONS = 500

Weights = NDArray[np.float64]
"""(D + 1, outputs): the kernel for scaled features, and the bias in the last row."""


@dataclass(frozen=True)
class _Sums:
    """What a block adds: to the loss, and to the gradients by kernel float32 (D, outputs) and bias (outputs,)."""

    loss: float
    kernel: NDArray[np.float32]
    bias: NDArray[np.float64]


@dataclass(frozen=True)
class Problem:
    """Rows to fit, and how to scale them."""

    blocks: Sequence[Block]
    total_weight: float
    """Of all rows."""
    scaling: Scaling
    outputs: int
    """K, or 1 in binary mode: the logit of class 1."""
    workers: Workers
    check: Callable[[], None] = field(default=lambda: None)
    """Called before each pass over the rows; may raise."""

    def zero(self) -> Weights:
        """Return weights for which all classes are equally probable."""
        return np.zeros((len(self.scaling.mean) + 1, self.outputs))

    def gradient_scale(self) -> float:
        """Return the largest component of the gradient at zero weights, the scale of `TOLERANCE`."""
        return float(np.abs(self.loss(self.zero())[1]).max())

    def logits(self, block: Block, weights: Weights) -> NDArray[np.float32]:
        """Return float32 (m, outputs) for rows like those of `blocks`."""
        kernel, bias = self._for_blocks(weights)
        return np.asarray(block.features @ kernel + bias, np.float32)

    def loss(self, weights: Weights, penalty: float = 0.0) -> tuple[float, Weights]:
        """Return the weighted mean cross-entropy + penalty / 2 · ‖kernel‖², and its gradient."""
        self.check()
        kernel, bias = self._for_blocks(weights)
        loss, by_kernel, by_bias = 0.0, np.zeros_like(weights[:-1]), np.zeros_like(weights[-1])
        # By number, so that a block that has to be read is read by its thread.
        numbers = range(len(self.blocks))
        for sums in self.workers.map(lambda number: _sums(self.blocks[number], kernel, bias), numbers):
            loss += sums.loss
            by_kernel += sums.kernel
            by_bias += sums.bias
        # The chain rule of `fold_in`.
        by_kernel -= self.scaling.mean[:, np.newaxis] * by_bias
        by_kernel *= self.scaling.factor[:, np.newaxis]
        total = self.total_weight
        gradient = np.vstack([by_kernel / total + penalty * weights[:-1], by_bias / total])
        return loss / total + penalty / 2 * float((weights[:-1] ** 2).sum()), gradient

    def solve(self, strength: float, start: Weights, gradient_scale: float) -> Weights:
        """Minimise from `start`; `strength` is scikit-learn's C: the sum of the losses has it as a factor.

        Liu, Nocedal, On the limited memory BFGS method (1989), in SciPy's implementation.
        """
        penalty = 1 / (strength * self.total_weight)

        def function(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            loss, gradient = self.loss(flat.reshape(start.shape), penalty)
            return loss, gradient.ravel()

        options = {"maxiter": MAX_ITERATIONS, "gtol": TOLERANCE * gradient_scale, "ftol": 0.0, "maxcor": 10}
        found = optimize.minimize(function, start.ravel(), jac=True, method="L-BFGS-B", options=options)
        return np.asarray(found.x, np.float64).reshape(start.shape)

    def _for_blocks(self, weights: Weights) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        kernel, bias = self.scaling.fold_in(weights[:-1], weights[-1])
        return kernel.astype(np.float32), bias.astype(np.float32)


def _sums(block: Block, kernel: NDArray[np.float32], bias: NDArray[np.float32]) -> _Sums:
    logits = block.features @ kernel
    logits += bias
    losses, residuals = (_binary if logits.shape[1] == 1 else _multinomial)(logits, block.labels)
    residuals *= block.weights[:, np.newaxis]
    loss = float(np.sum(losses * block.weights, dtype=np.float64))
    return _Sums(loss, block.features.T @ residuals, residuals.sum(axis=0, dtype=np.float64))


def _multinomial(
    logits: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return losses (m,) and their gradients by the logits (m, K), computed in place of the logits."""
    logits -= logits.max(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    losses = -logits[rows, labels]
    np.exp(logits, out=logits)
    sums = logits.sum(axis=1)
    losses += np.log(sums)
    logits /= sums[:, np.newaxis]
    logits[rows, labels] -= 1
    return losses, logits


def _binary(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return losses (m,) and their gradients (m, 1) by the logits of class 1."""
    positive = labels.astype(np.float32)
    logit = logits[:, 0]
    losses = np.logaddexp(np.float32(0), logit) - positive * logit
    with np.errstate(over="ignore"):  # exp overflows to infinity, and the probability is 0
        logits[:, 0] = 1 / (1 + np.exp(-logit)) - positive
    return losses, logits
