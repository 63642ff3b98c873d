"""Rows that are fitted several times with other labels: centred once, in memory."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_classifier.heads import linear_head, row_blocks
from image_classifier.heads.linear_head import LinearHead
from image_classifier.heads.logistic_regression import Problem
from image_classifier.heads.row_blocks import Block, Scaling
from image_classifier.heads.streaming import StreamedBlocks
from image_classifier.heads.workers import workers


@dataclass(frozen=True)
class CentredRows:
    """Features less their mean, and their scaling: neither depends on labels."""

    features: NDArray[np.float32]
    """(n, D), a copy."""
    scaling: Scaling
    """Of `features`."""
    centre: NDArray[np.float32]
    """(D,) what was subtracted."""

    def fit(
        self,
        labels: NDArray[np.int64],
        classes: int,
        strength: float,
        sample_weights: NDArray[np.float32] | None = None,
        start: LinearHead | None = None,
    ) -> LinearHead:
        """Fit multinomial logistic regression, as `linear_head.fit` does on the same rows.

        A row of weight 0 is left out of the loss, but not of the scaling.
        """
        weights = np.ones(len(labels), np.float32) if sample_weights is None else sample_weights
        blocks = [Block(self.features[part], labels[part], weights[part]) for part in row_blocks.slices(0, len(labels))]
        whole = self.scaling.shifted(self.centre)
        with workers() as threads:
            problem = Problem(blocks, float(weights.sum(dtype=np.float64)), self.scaling, classes, threads)
            first = problem.zero() if start is None else linear_head.to_weights(start, whole)
            found = problem.solve(strength, first, problem.gradient_scale())
        return linear_head.from_weights(found, whole)


def centred(features: NDArray[np.float32]) -> CentredRows:
    """Return a centred copy of features (n, D).

    Raises:
        UserError: A feature is NaN or infinite.
    """
    none = np.zeros(len(features), np.int64)
    with workers() as threads:
        blocks = StreamedBlocks(features, none, np.ones(len(features), np.float32))
        centre = row_blocks.centre(blocks, threads)
        copied = features - centre
        scaling = row_blocks.scaling(StreamedBlocks(copied, none, blocks.weights), threads)
    return CentredRows(copied, scaling, centre)
