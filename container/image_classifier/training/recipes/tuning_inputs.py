"""Inputs of stage 1."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.heads.linear_head import LinearHead
from image_classifier.training.data.batches import Rows
from image_classifier.training.loop.fitting import Session
from image_classifier.training.model.classifier import Network
from image_classifier.training.recipes.copied_rows import CopiedRows


@dataclass(frozen=True)
class Stage0:
    """What stage 0 leaves to stage 1."""

    head: LinearHead
    outputs: NDArray[np.float32]
    """Of that head for the validation rows: logits (n, K), or probabilities (n, 1) in binary mode."""
    refit: Callable[[NDArray[np.int64]], LinearHead]
    """Fits a head of the same strength on some training rows alone, by their indices int64 (m,)."""


@dataclass(frozen=True)
class Images:
    """The rows of both splits, as pixels."""

    training: Rows
    validation: Rows
    class_names: Sequence[str]
    copied: CopiedRows | None = None
    """None: no image is a copy of another."""

    def compared(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of some validation rows, int64 (k,), compare a tuned network with the head, bool (k,)."""
        return self.copied.compared(rows) if self.copied else np.ones(len(rows), bool)


@dataclass(frozen=True)
class TuningInputs:
    """What is tuned, from where, and on which images."""

    network: Network
    """With the pre-trained backbone."""
    stage0: Stage0
    values: Hyperparameters
    """See `tuning.values_for`."""
    images: Images
    session: Session
    scored_later: int = 0
    """Images that the job scores after the tuning, for which the budget has to leave time."""

    @property
    def head_arrays(self) -> int:
        """Number of the head's arrays, the first of `Network.trained_variables`."""
        return len(self.network.head.variables)
