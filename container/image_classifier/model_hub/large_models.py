"""Defaults of large models: the developer guide's rule, with the numbers that the guide omits.

According to the guide large models train with a smaller batch and only the top layer, but it does not define "large".
Here a model's weight is parameters times pixels, since in convolutional networks and vision transformers both the
operations and the activations per image grow with both. Thresholds: docs/decisions/0007-which-models-are-large.md.
"""

from collections.abc import Mapping
from types import MappingProxyType

LARGE = 2e12
"""Parameters times pixels from which a model is large: somewhat below BiT R101x1 at 224 x 224, which is 2.1e12."""
USUAL_BATCH = 32
"""The developer guide's, for all others."""
LARGEST_BATCH = 16
SMALLEST_BATCH = 4
"""Smaller batches make the gradient noisy and save little memory, which the weights then dominate."""


def weight(parameters: int, image_size: tuple[int, int]) -> int:
    """Return parameters times pixels; `image_size` is height and width."""
    height, width = image_size
    return parameters * height * width


def defaults(parameters: int | None, image_size: tuple[int, int]) -> Mapping[str, str]:
    """Return the defaults in which a model differs from the declarations, as text; empty for most models.

    The batch size of a large model is the largest power of two, from `SMALLEST_BATCH` to `LARGEST_BATCH`, with which a
    step is at most as much work as 32 images of a model at the threshold. Unknown `parameters` count as not large.
    """
    heaviness = weight(parameters or 0, image_size) / LARGE
    if heaviness < 1:
        return MappingProxyType({})
    batch = LARGEST_BATCH
    while batch > SMALLEST_BATCH and batch * heaviness > USUAL_BATCH:
        batch //= 2
    return MappingProxyType({"batch_size": str(batch), "train_only_top_layer": "True"})
