"""The defaults of large models: the developer guide's rule, with the numbers that it leaves out.

The guide says that large models train with a smaller batch and only at the top, not which models are large. Here a
model's weight is parameters times pixels: of a convolutional network or a vision transformer, the multiplications and
the activations of one image grow with both. Why these thresholds: docs/decisions/0007-which-models-are-large.md.
"""

from collections.abc import Mapping
from types import MappingProxyType

LARGE = 2e12
"""Parameters times pixels from which a model is large: somewhat below BiT R101x1 at 224 x 224, which is 2.1e12."""
USUAL_BATCH = 32
"""The developer guide's, for all others."""
LARGEST_BATCH = 16
SMALLEST_BATCH = 4
"""Smaller ones make the gradient noisy and save little: below it the weights themselves fill the memory."""


def weight(parameters: int, image_size: tuple[int, int]) -> int:
    """Return parameters times pixels; `image_size` is height and width."""
    height, width = image_size
    return parameters * height * width


def defaults(parameters: int | None, image_size: tuple[int, int]) -> Mapping[str, str]:
    """Return what a model trains with where that differs from the declaration, as text; nothing for most models.

    The batch of a large one is the largest power of two with which a step is no more work than 32 images of a model
    at the threshold, between `SMALLEST_BATCH` and `LARGEST_BATCH`. Unknown `parameters`: not large.
    """
    heaviness = weight(parameters or 0, image_size) / LARGE
    if heaviness < 1:
        return MappingProxyType({})
    batch = LARGEST_BATCH
    while batch > SMALLEST_BATCH and batch * heaviness > USUAL_BATCH:
        batch //= 2
    return MappingProxyType({"batch_size": str(batch), "train_only_top_layer": "True"})
