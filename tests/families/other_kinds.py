"""Kinds of networks beside the catalogue's convolutional ones, small: GroupNorm, attention, attention in windows."""

from collections.abc import Callable
from dataclasses import dataclass

import tf_keras

from tests.families import bit, swin, vision_transformer
from tests.families.architectures import Size


@dataclass(frozen=True)
class Kind:
    """A kind of network."""

    size: Size
    """Height and width of its images."""
    build: Callable[[], tf_keras.Model]
    """With random weights."""


OTHER_KINDS = {
    "bit": Kind((32, 48), lambda: bit.build(repeats=(1, 1), width=8)),
    "transformer": Kind((32, 48), lambda: vision_transformer.build((32, 48), patch=16, width=32, heads=2, depth=2)),
    "swin": Kind((32, 64), lambda: swin.build((32, 64), width=16, depths=(2, 1), heads=(2, 4), window=4)),
}
"""By name."""
