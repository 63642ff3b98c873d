"""A linear classifier on features, fitted by convex optimisation: no learning rate, one optimum."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_classifier.contract import binary_rule
from image_classifier.heads import row_blocks
from image_classifier.heads.logistic_regression import Problem, Weights
from image_classifier.heads.row_blocks import Scaling
from image_classifier.heads.streaming import StreamedBlocks
from image_classifier.heads.workers import workers


@dataclass(frozen=True)
class LinearHead:
    """The weights of a dense layer: kernel float32 (D, outputs), bias float32 (outputs,).

    `outputs` is K, or 1 in binary mode: the logit of class 1.
    """

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]

    @property
    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """The weights by name, as they are stored."""
        return {"kernel": self.kernel, "bias": self.bias}

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 (n, outputs) of features (n, D)."""
        return np.asarray(features @ self.kernel + self.bias, np.float32)

    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 (n, K), or in binary mode the probability of class 1, (n, 1)."""
        return probabilities(self.logits(features))


def from_arrays(arrays: Mapping[str, NDArray[np.float32]]) -> LinearHead:
    """Return the head of `LinearHead.arrays`, among which there may be others."""
    return LinearHead(arrays["kernel"], arrays["bias"])


def probabilities(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the softmax of logits (n, K), or the sigmoid of (n, 1)."""
    if logits.shape[1] == 1:
        # exp never overflows: 1 / (1 + exp(-z)) = exp(-log(1 + exp(-z))).
        return np.exp(-np.logaddexp(np.float32(0), -logits))
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def from_weights(weights: Weights, scaling: Scaling) -> LinearHead:
    """Return the head for features as they are, from weights for scaled ones."""
    kernel, bias = scaling.fold_in(weights[:-1], weights[-1])
    return LinearHead(kernel.astype(np.float32), bias.astype(np.float32))


def predicted(outputs: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the most probable class (n,) by logits or probabilities (n, K), or by probabilities of class 1 (n, 1)."""
    if outputs.shape[1] == 1:
        return (outputs[:, 0] >= binary_rule.THRESHOLD).astype(np.int64)
    return np.asarray(outputs.argmax(axis=1), np.int64)


def fit(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    classes: int,
    strength: float,
    *,
    binary: bool = False,
    sample_weights: NDArray[np.float32] | None = None,
    start: LinearHead | None = None,
    check: Callable[[], None] = lambda: None,
) -> LinearHead:
    """Fit multinomial logistic regression, or binary with one output, on features (n, D) in memory or in a file.

    Args:
        features: Scaled internally, see `row_blocks.scaling`; a constant feature gets a kernel of zeros.
        labels: Class indices (n,) below `classes`; a class may be missing.
        classes: K.
        strength: scikit-learn's C on scaled features: larger regularises less. The bias is not regularised.
        binary: One output, the logit of class 1; `classes` is 2.
        sample_weights: Float32 (n,), 1 by default.
        start: Where the optimiser starts, by default at zero. There is one optimum, whatever the start.
        check: Called before each pass over the rows; may raise.

    Raises:
        UserError: A feature is NaN or infinite.
    """
    weights = np.ones(len(labels), np.float32) if sample_weights is None else sample_weights
    raw = StreamedBlocks(features, labels, weights)
    with workers() as threads:
        centre = row_blocks.centre(raw, threads)
        centred = raw.centred(centre)
        scaling = row_blocks.scaling(centred, threads)
        total = float(weights.sum(dtype=np.float64))
        problem = Problem(centred, total, scaling, 1 if binary else classes, threads, check)
        whole = scaling.shifted(centre)
        first = problem.zero() if start is None else to_weights(start, whole)
        return from_weights(problem.solve(strength, first, problem.gradient_scale()), whole)


def to_weights(head: LinearHead, scaling: Scaling) -> Weights:
    """Return the weights for scaled features of a head for features as they are."""
    kernel, bias = scaling.take_out(head.kernel.astype(np.float64), head.bias.astype(np.float64))
    return np.vstack([kernel, bias])
