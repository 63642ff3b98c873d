"""What is said of one image: its classes with their probabilities, and the features that they were computed from."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Prediction:
    """The classes of one image.

    `labels` are in index order and as many as `probabilities`, except in binary mode: there two labels share one
    probability, that of the second.
    """

    labels: tuple[str, ...]
    probabilities: NDArray[np.float32]
    """float32 (n,), each from 0 to 1."""
    features: NDArray[np.float32] | None = field(default=None, repr=False)
    """The pooled features (d,), None from a model that answers none."""

    @property
    def predicted_label(self) -> str:
        """The most probable class, the first of several; in binary mode the second one from 0.5 on."""
        if self._is_binary:
            return self.labels[int(self.probabilities[0] >= 0.5)]
        return self.labels[int(self.probabilities.argmax())]

    def most_probable(self, count: int) -> "Prediction":
        """Return the `count` most probable classes, or all when there are fewer, the most probable first."""
        probabilities = self.probabilities
        if self._is_binary:
            second = probabilities[0]
            probabilities = np.array([1 - second, second], np.float32)
        # Stable, so that equal probabilities stay in index order; in binary mode 0.5 counts for the second class.
        order = np.argsort(-probabilities, kind="stable")
        if self._is_binary and probabilities[1] >= 0.5:
            order = np.array([1, 0])
        chosen = order[:count]
        return Prediction(tuple(self.labels[index] for index in chosen.tolist()), probabilities[chosen])

    def at_least(self, threshold: float) -> "Prediction":
        """Return the classes with a probability of `threshold` or more, the most probable first; there may be none."""
        best = self.most_probable(len(self.labels))
        count = int((best.probabilities >= np.float32(threshold)).sum())
        return Prediction(best.labels[:count], best.probabilities[:count])

    @property
    def _is_binary(self) -> bool:
        return len(self.labels) == 2 and len(self.probabilities) == 1
