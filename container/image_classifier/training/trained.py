"""What a training results in: the classifier, the record of its training, and what it computed of the images.

Needs no TensorFlow, so that whatever reads a result starts without it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from image_classifier.class_folders.listing import Listing
from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.training.data.decoding import Skipped
from image_classifier.training.model.backbone import Backbone

if TYPE_CHECKING:
    import tf_keras

    from image_classifier.training.loop.fitting import History
    from image_classifier.training.preparation import Prepared


@dataclass(frozen=True)
class TestResult:
    """The test channel, scored once."""

    metrics: dict[str, float]
    seconds: float
    listing: Listing
    """Its readable images."""
    probabilities: NDArray[np.float32]
    """Predictions for them: (n, K), or (n, 1) in binary mode."""
    features: NDArray[np.float32] | None
    """(n, D), the inputs of the head; None without a feature pass."""

    @property
    def images(self) -> int:
        """Number of images that were scored."""
        return len(self.listing.examples)


@dataclass(frozen=True)
class Features:
    """Features of the frozen backbone, which a feature pass computed."""

    training: NDArray[np.float32]
    """(n, D) of the images of `Trained.training`."""
    validation: NDArray[np.float32]
    """(m, D) of the images of `Trained.validation`."""
    of_head: bool = True
    """Whether they are the inputs of the trained head; not where the backbone was tuned afterwards."""

    @classmethod
    def of(
        cls, training: "Prepared", validation: "Prepared", rows: NDArray[np.int64], of_head: bool = True
    ) -> "Features | None":
        """Return those of all training rows and of some validation rows; None without a feature pass."""
        found = training.features(), validation.features(rows)
        return cls(found[0], found[1], of_head) if found[0] is not None and found[1] is not None else None


@dataclass(frozen=True)
class CrossValidated:
    """Predictions for training images by heads that were fitted without them."""

    listing: Listing
    rows: NDArray[np.int64]
    """(n,) which of the images of `Trained.training` they are."""
    probabilities: NDArray[np.float32]
    """(n, K), or (n, 1) in binary mode."""


@dataclass(frozen=True)
class Table:
    """A further report: a CSV file in `/opt/ml/output/data`."""

    name: str
    """Of the file."""
    header: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Trained:
    """A trained classifier and the record of its training."""

    values: Hyperparameters
    """As given to the job, or as its recipe chose them."""
    backbone: Backbone
    head: "tf_keras.Sequential"
    weights: Sequence[NDArray[Any]]
    """Values of `Network.trained_variables`, for `rebuilt`."""
    history: "History"
    training: Listing
    validation: Listing
    """The images that `probabilities` are of."""
    probabilities: NDArray[np.float32]
    """Predictions of the best epoch for the validation images: (n, K), or (n, 1) in binary mode."""
    expected: NDArray[np.float32]
    """Predictions of `weights` for them: the same array as `probabilities` but after a refit on both splits."""
    skipped: tuple[Skipped, ...]
    test: TestResult | None
    precision: str
    """What `precision.choose` chose."""
    features: Mapping[str, Any] | None
    """The engine that computed them, and its largest difference from TensorFlow; None without a feature pass."""
    parameters: int
    trainable_parameters: int
    seconds: float
    """From the first decoded image to the last epoch."""
    recipe: Mapping[str, Any] | None = None
    """What recipe=auto or recipe=search measured and chose, JSON-able."""
    cross_validated: CrossValidated | None = None
    arrays: Features | None = None
    """What a feature pass computed; None when the job trained on pixels alone."""
    tables: tuple[Table, ...] = ()
    temperature: float = 1.0
    """By which the logits of `head`, `probabilities`, `expected` and `test` were divided to calibrate them."""

    @property
    def is_refitted(self) -> bool:
        """Whether the head was fitted again on both splits, so that it has seen the validation images."""
        return self.expected is not self.probabilities
