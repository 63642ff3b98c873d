"""The profile of a set of images: distributions of their traits and of what the model answered."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier.evaluation.traits import Traits

TRAITS = ("brightness", "contrast", "sharpness", "colourfulness", "width", "height", "aspect_ratio", "bytes")
"""The scalars of `Traits` that are compared."""
INTEGERS = frozenset({"width", "height", "bytes"})
CONFIDENCE = "confidence"
"""The probability of the predicted class."""
FORMAT, PREDICTED_LABEL = "format", "predicted_label"
"""The two categorical features."""
MOST_VALUES = 1001
"""Values that are kept of a scalar: with more images, order statistics at evenly spaced ranks, exact to 0.1 %."""
UNKNOWN = -1
"""Predicted class of an image whose answer was not captured or does not name a class."""


@dataclass(frozen=True)
class Distribution:
    """The distribution of a scalar."""

    values: NDArray[np.float32]
    """(v,) ascending, at most `MOST_VALUES`, without NaN."""
    total: int
    """Images that have the scalar."""
    missing: int = 0
    """Images that lack it, since they cannot be decoded or their answer was not captured."""

    @classmethod
    def of(cls, scalars: Sequence[float] | NDArray[np.floating[Any]]) -> "Distribution":
        """Return the distribution of scalars (n,); NaN counts as missing."""
        given = np.asarray(scalars, np.float32)
        known = np.sort(given[np.isfinite(given)])
        kept = known
        if len(known) > MOST_VALUES:
            kept = known[np.linspace(0, len(known) - 1, MOST_VALUES).round().astype(np.int64)]
        return cls(kept, len(known), len(given) - len(known))

    @property
    def median(self) -> float:
        """The median; NaN without values."""
        return float(np.median(self.values)) if len(self.values) else float("nan")


@dataclass(frozen=True)
class Profile:
    """What is known of a set of images. A feature that no image has is left out."""

    images: int
    scalars: Mapping[str, Distribution]
    """By name: those of `TRAITS`, and `CONFIDENCE`."""
    categories: Mapping[str, Mapping[str, int]]
    """`FORMAT` and `PREDICTED_LABEL`: how many images have each value."""


@dataclass(frozen=True)
class Observations:
    """Images with what a model answered; position i of everything is of the i-th image."""

    traits: Sequence[Traits | None]
    """None of an image that cannot be decoded or was not captured."""
    predicted: NDArray[np.int64]
    """Top-1 class indices (n,), or `UNKNOWN`."""
    confidence: NDArray[np.float32]
    """(n,) in [0, 1], NaN where unknown."""
    embeddings: NDArray[np.float32] | None = field(default=None, repr=False)
    """(m, D) of the images whose features were captured, in no particular order."""

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.traits)

    def profile(self, class_names: Sequence[str]) -> Profile:
        """Return their profile."""
        columns = {name: Distribution.of([_scalar(one, name) for one in self.traits]) for name in TRAITS}
        columns[CONFIDENCE] = Distribution.of(self.confidence)
        counts = np.bincount(self.predicted[self.predicted >= 0], minlength=len(class_names))
        categories = {
            FORMAT: dict(Counter(one.format for one in self.traits if one is not None)),
            PREDICTED_LABEL: {name: int(count) for name, count in zip(class_names, counts, strict=True) if count},
        }
        return Profile(
            len(self),
            {name: column for name, column in columns.items() if column.total},
            {name: values for name, values in categories.items() if values},
        )


def _scalar(traits: Traits | None, name: str) -> float:
    return float("nan") if traits is None else float(getattr(traits, name))
