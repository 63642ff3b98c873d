"""What runs the network: one engine a file."""

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from image_classifier import artifacts, tensorflow_start
from image_classifier.artifacts import ModelInfo


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
    saved_model = artifacts.saved_model_folder(folder)

    tensorflow_start.start()
    from image_classifier.inference.engines import saved_model_operations, tensorflow

    saved_model_operations.refuse_unsafe_operations(saved_model, trust)
    return tensorflow.load_engine(folder, info)
