"""What is said of one picture: its classes with their probabilities, and the features that they were computed from."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Prediction:
    """The classes of one picture.

    `labels` are in index order and as many as `probabilities`, except in binary mode: there two labels share one
    probability, that of the second.
    """

    labels: tuple[str, ...]
    probabilities: tuple[float, ...]
    features: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)
    """The pooled features (d,), None from a model that answers none."""

    @property
    def predicted_label(self) -> str:
        """The most probable class; in binary mode the second one from 0.5 on."""
        if self._is_binary:
            return self.labels[1] if self.probabilities[0] >= 0.5 else self.labels[0]
        return self.labels[self.probabilities.index(max(self.probabilities))]

    @property
    def embedding(self) -> tuple[float, ...] | None:
        """The features as the shortest decimals that read back as the same float32."""
        return None if self.features is None else shortest_decimals(self.features)

    def most_probable(self, count: int) -> "Prediction":
        """Return the `count` most probable classes, or all when there are fewer, the most probable first."""
        probabilities = self.probabilities
        if self._is_binary:
            second = np.float32(probabilities[0])
            probabilities = shortest_decimals(np.array([1 - second, second], np.float32))
        # Stable, so that equal probabilities stay in index order; in binary mode 0.5 counts for the second class.
        order = sorted(range(len(probabilities)), key=lambda index: -probabilities[index])
        if self._is_binary and probabilities[1] >= 0.5:
            order = [1, 0]
        chosen = order[:count]
        return Prediction(tuple(self.labels[i] for i in chosen), tuple(probabilities[i] for i in chosen))

    def at_least(self, threshold: float) -> "Prediction":
        """Return the classes with a probability of `threshold` or more, the most probable first; there may be none."""
        best = self.most_probable(len(self.labels))
        count = sum(probability >= threshold for probability in best.probabilities)
        return Prediction(best.labels[:count], best.probabilities[:count])

    @property
    def _is_binary(self) -> bool:
        return len(self.labels) == 2 and len(self.probabilities) == 1


def shortest_decimals(values: NDArray[np.float32]) -> tuple[float, ...]:
    """Return numbers that print as the shortest decimals of float32: 0.1, not 0.10000000149011612."""
    return tuple(float(str(value)) for value in values)
