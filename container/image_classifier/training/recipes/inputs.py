"""Inputs of a recipe: features of every image, computed once, and the pixels of the same images for stage 1."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from image_classifier.class_folders.listing import Listing
from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.training import fine_tuning, preparation, stopping
from image_classifier.training.data.splits import DataSplits
from image_classifier.training.distributed.cluster import Cluster
from image_classifier.training.loop import class_weights
from image_classifier.training.loop.fitting import Session
from image_classifier.training.model.backbone import Backbone
from image_classifier.training.preparation import Prepared, PreparedData
from image_classifier.training.stopping import StopSignal


@dataclass(frozen=True)
class Inputs:
    """What every stage starts from."""

    data: DataSplits
    backbone: Backbone
    values: Hyperparameters
    """As given, with the defaults of what the recipe chooses."""
    session: Session
    prepared: PreparedData
    """Features of the readable images."""
    checkpoints_dir: Path | None

    @property
    def training(self) -> Prepared:
        """Features of the training images."""
        return self.prepared.training

    @property
    def validation(self) -> Prepared:
        """Features of the validation images."""
        return self.prepared.validation

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in order."""
        return self.data.training.class_names

    @property
    def head_values(self) -> Hyperparameters:
        """The values with which the head is scored and exported: no smoothing, dropout or penalty in its loss."""
        return replace(
            self.values,
            train_only_top_layer=True,
            epochs=1,
            label_smoothing=0.0,
            dropout_rate=0.0,
            regularizers_l2=0.0,
        )

    def sample_weights(self, labels: NDArray[np.int64]) -> NDArray[np.float32] | None:
        """Return the weight of each image by its class, float32 (n,); None when all are equal.

        Raises:
            UserError: class_weights names a class that is not in the data.
        """
        counts = np.bincount(self.training.rows.labels, minlength=len(self.class_names))
        weights = class_weights.weights(self.values, self.class_names, counts.tolist())
        return None if (weights == weights[0]).all() else weights[labels]

    def prepare_pixels(self, listing: Listing, phase: str) -> Prepared:
        """Return images as pixels that are decoded on demand."""
        return preparation.prepare_function(self.backbone, self.values, self.session, None)(listing, phase)

    def stop_requested(self) -> bool:
        """Return whether any host was asked to stop. Collective: every host must call it."""
        return stopping.stop_requested_on_any_host(self.session.stop, self.session.cluster)


def prepare(
    data: DataSplits,
    backbone: Backbone,
    values: Hyperparameters,
    stop: StopSignal,
    cluster: Cluster,
    folder: Path | None,
) -> Inputs:
    """Compute the features of training and validation images, or read them from an earlier run. Collective.

    Raises:
        UserError: Too many images are unreadable, or a class lost all of its images.
        JobStopped: The job was stopped meanwhile.
    """
    session = fine_tuning.start_session(data, backbone, values, stop, cluster, folder)
    frozen = replace(values, train_only_top_layer=True)
    prepared = preparation.prepare_data(data, backbone, frozen, session, folder)
    return Inputs(data, backbone, values, session, prepared, folder)
