"""Synthetic features of a backbone: non-negative, as correlated as real ones, with classes that overlap."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_AT_ONCE = 4096


@dataclass(frozen=True)
class FeatureSource:
    """Draws rows of one distribution.

    The eigenvalues of the correlations fall as 1 / (rank + 2), as those of EfficientNet-Lite0's features of
    Fashion-MNIST do, where the first three hold a seventh of the variance. The classes differ in the leading
    directions, by `separation`.
    """

    features: int
    classes: int
    separation: float = 1.0
    seed: int = 0

    def draw(self, count: int, seed: int = 1) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return features (count, D) and their labels (count,), each class about equally often."""
        fixed, drawn = np.random.default_rng(self.seed), np.random.default_rng((self.seed, seed))
        scales = np.sqrt(self.features / np.log(self.features + 2) / (np.arange(self.features) + 2))
        mixing = fixed.standard_normal((self.features, self.features), np.float32) / np.sqrt(self.features)
        centres = self.separation * fixed.standard_normal((self.classes, self.features), np.float32)
        centres[:, self.features // 2 :] = 0
        mixing *= scales[:, np.newaxis]
        labels = drawn.integers(0, self.classes, count)
        rows = np.empty((count, self.features), np.float32)
        for start in range(0, count, _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            latent = drawn.standard_normal(rows[part].shape, np.float32) + centres[labels[part]]
            np.maximum(latent @ mixing, 0, out=rows[part])
        return rows, labels
