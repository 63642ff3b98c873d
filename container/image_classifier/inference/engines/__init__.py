"""What runs the network: one engine a file."""

import os
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from image_classifier import artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.inference.engines import native_log


class Engine(Protocol):
    """A loaded network that may be called from many threads at once."""

    @property
    def name(self) -> str:
        """Which engine this is, for logs."""
        ...

    @property
    def outputs(self) -> int:
        """How many probabilities it answers for a picture."""
        ...

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return probabilities, float32 (n, outputs), of RGB pixels, uint8 (n, height, width, 3)."""
        ...


def load(folder: Path, info: ModelInfo, trust: bool) -> Engine:
    """Load the network of a model folder with the engine that suits it.

    Args:
        folder: A model folder.
        info: What its model info says.
        trust: Whether file and Python operations are allowed in the SavedModel.

    Raises:
        UserError: There is no usable SavedModel, or it is refused.
    """
    # Both count only before TensorFlow is imported, and whoever asked for an engine may have other plans for its log.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    saved_model = artifacts.saved_model_folder(folder)

    with native_log.without(native_log.TENSORFLOW_NOISE):
        from image_classifier.inference.engines import saved_model_operations, tensorflow

    saved_model_operations.refuse_unsafe_operations(saved_model, trust)
    return tensorflow.load_engine(folder, info)
