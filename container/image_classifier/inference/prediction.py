"""The prediction for one image: its classes with their probabilities, and the features they were computed from."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from image_classifier.contract import binary_rule

if TYPE_CHECKING:
    from image_classifier.evaluation.occlusion import OcclusionMap


@dataclass(frozen=True, eq=False)
class Prediction:
    """Class probabilities of one image.

    `labels` are in index order and as many as `probabilities`, except in binary mode: then there are two labels and
    one probability, that of the second class.
    """

    labels: tuple[str, ...]
    probabilities: NDArray[np.float32]
    """float32 (n,), each from 0 to 1."""
    features: NDArray[np.float32] | None = field(default=None, repr=False)
    """The pooled features (d,), None when the model does not expose them."""
    familiarity: float | None = field(default=None, repr=False)
    """Share of the validation images that were less ordinary, 0 to 1; None unless computed."""
    explanation: "OcclusionMap | None" = field(default=None, repr=False)
    """Which parts of the image the predicted class rests on; None unless computed."""

    @property
    def predicted_index(self) -> int:
        """Index of the most probable class, the first one in a tie; in binary mode see `binary_rule`."""
        if self._is_binary:
            return int(binary_rule.is_class_1(float(self.probabilities[0])))
        return int(self.probabilities.argmax())

    @property
    def predicted_label(self) -> str:
        """Name of the class of `predicted_index`."""
        return self.labels[self.predicted_index]

    @property
    def class_probabilities(self) -> NDArray[np.float32]:
        """One probability for each label, also in binary mode, float32 (K,)."""
        if self._is_binary:
            second = self.probabilities[0]
            return np.array([1 - second, second], np.float32)
        return self.probabilities

    def most_probable(self, count: int) -> "Prediction":
        """Return the `count` most probable classes, or all if there are fewer, in descending order."""
        probabilities = self.class_probabilities
        # Stable, so that ties stay in index order.
        order = np.argsort(-probabilities, kind="stable")
        if self._is_binary and self.predicted_index == 1:
            order = np.array([1, 0])
        chosen = order[:count]
        return Prediction(tuple(self.labels[index] for index in chosen.tolist()), probabilities[chosen])

    def at_least(self, threshold: float) -> "Prediction":
        """Return the classes with a probability of at least `threshold` in descending order, possibly none."""
        best = self.most_probable(len(self.labels))
        count = int((best.probabilities >= np.float32(threshold)).sum())
        return Prediction(best.labels[:count], best.probabilities[:count])

    @property
    def _is_binary(self) -> bool:
        return len(self.labels) == 2 and len(self.probabilities) == 1
