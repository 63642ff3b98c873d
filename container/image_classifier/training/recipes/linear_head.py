"""A linear head as plain arrays (minimal version)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LinearHead:
    """Weights of a dense layer: kernel float32 (features, outputs), bias float32 (outputs,)."""

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return logits float32 (n, outputs)."""
        logits: NDArray[np.float32] = (features @ self.kernel + self.bias).astype(np.float32)
        return logits

    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return probabilities float32 (n, K), or (n, 1) with one output."""
        logits = self.logits(features)
        if logits.shape[1] == 1:
            return (1 / (1 + np.exp(-logits))).astype(np.float32)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def fit(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    classes: int,
    strength: float,
    *,
    binary: bool = False,
    sample_weights: NDArray[np.float32] | None = None,
    start: LinearHead | None = None,
) -> LinearHead:
    """Fit by L-BFGS."""
    from sklearn.linear_model import LogisticRegression

    mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-6
    model: Any = LogisticRegression(C=strength, max_iter=1000)
    model.fit((features - mean) / scale, labels, sample_weights)
    kernel = model.coef_.T / scale[:, np.newaxis]
    bias = model.intercept_ - mean @ kernel
    if classes == 2 and not binary:
        kernel, bias = np.hstack([-kernel, kernel]) / 2, np.hstack([-bias, bias]) / 2
    return LinearHead(kernel.astype(np.float32), bias.astype(np.float32))
