"""Copies among the images of a job: what was learned by heart must judge neither the race nor the tuned network."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_classifier.heads import copies
from image_classifier.training.features import feature_rows
from image_classifier.training.recipes import stage_store
from image_classifier.training.recipes.inputs import Inputs
from image_classifier.training.recipes.stage_store import Stage


@dataclass(frozen=True)
class CopiedRows:
    """Copies by the features on which the head is fitted, see `heads.copies`."""

    first: NDArray[np.int64]
    """The first copy of each training row, (n,), or the row itself."""
    repeated: NDArray[np.bool_]
    """Which validation rows are copies of training rows, or of validation rows before them, (m,)."""

    def compared(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of some validation rows, int64 (k,), compare a tuned network with the head, bool (k,).

        Each image once, and none that the network trained on; all of them where nothing else is left.
        """
        found = ~self.repeated[rows]
        return found if found.any() else np.ones(len(rows), bool)


def find(inputs: Inputs, least: int) -> CopiedRows:
    """Find the copies; with fewer than `least` different training rows each of them counts for itself. Collective."""

    def compute() -> Stage:
        # From the chief: another kind of CPU rounds otherwise, and all hosts must train on the same rows.
        training = np.asarray(inputs.training.rows.inputs)
        features = feature_rows.joined(training, np.asarray(inputs.validation.rows.inputs))
        rows, count = np.arange(len(features)), len(training)
        first = copies.first_copies(features, rows)
        return Stage({}, {"first": first[:count], "repeated": (first < rows)[count:]})

    found = stage_store.from_chief(inputs.session, compute).arrays
    return CopiedRows(copies.where_enough_differ(found["first"], least), found["repeated"])
