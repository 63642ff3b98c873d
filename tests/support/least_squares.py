"""A linear classifier without an optimiser: ridge regression on one-hot labels."""

import numpy as np
from numpy.typing import NDArray

from image_classifier.evaluation.evidence import Head


def least_squares_head(features: NDArray[np.float32], labels: NDArray[np.int64], classes: int) -> Head:
    """Return a head by ridge regression on one-hot labels, with logits of a few units."""
    centred = features - features.mean(axis=0)
    gram = centred.T @ centred + 10 * np.eye(features.shape[1], dtype=np.float32)
    kernel = 10 * np.linalg.solve(gram, centred.T @ np.eye(classes, dtype=np.float32)[labels])
    return Head(kernel.astype(np.float32), (-features.mean(axis=0) @ kernel).astype(np.float32))
