"""Split the SavedModel of an earlier job into its network and its head.

Two layouts are known. Ours: a root with `features`, `backbone`, `kernel` and `bias` (see `saved_model_export`). The
built-in algorithm's: a Keras model of two layers with weights, a `hub.KerasLayer` and a dense layer. The network is
extracted without its surroundings, so that models of all generations have the same size and speed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


@dataclass(frozen=True)
class Head:
    """The weights of a dense layer: kernel float32 (features, units), bias float32 (units,)."""

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]

    @property
    def units(self) -> int:
        """Number of classes, or 1 in binary mode."""
        return len(self.bias)

    def in_order(self, earlier: Sequence[str], now: Sequence[str]) -> "Head":
        """Return the head for the same class names in another order."""
        if tuple(earlier) == tuple(now):
            return self
        if self.units == 1:
            # 1 - sigmoid(z) = sigmoid(-z): the classes have changed places.
            return Head(-self.kernel, -self.bias)
        order = [tuple(earlier).index(name) for name in now]
        return Head(self.kernel[:, order], self.bias[order])


@dataclass(frozen=True)
class EarlierModel:
    """The two parts of a SavedModel of an earlier job."""

    network: Any
    """Called like a Hub model: scaled pixels to features."""
    head: Head
    tunable: bool
    """Whether the network can be trained; False when the earlier job could not train it either."""


def split(root: Any) -> EarlierModel | None:
    """Return the parts of a loaded SavedModel; None when it has another layout."""
    if all(hasattr(root, name) for name in ("features", "backbone", "kernel", "bias")):
        tunable = callable(root.backbone) and _traced_for_training(root.features)
        return EarlierModel(root.backbone if tunable else _Frozen(root), _head(root), tunable)
    layer, dense = (getattr(root, f"layer_with_weights-{index}", None) for index in (0, 1))
    network = getattr(layer, "_func", None)
    others = hasattr(root, "layer_with_weights-2")
    if others or not callable(network) or not all(hasattr(dense, name) for name in ("kernel", "bias")):
        return None
    return EarlierModel(network, _head(dense), tunable=True)


class _Frozen(tf.__internal__.tracking.AutoTrackable):  # type: ignore[misc, unused-ignore]
    """The feature function of an earlier model of ours, without the rest of it."""

    def __init__(self, root: Any) -> None:
        head = {id(root.kernel), id(root.bias)}
        self.features = root.features
        self.variables = [variable for variable in root.variables if id(variable) not in head]
        self.trainable_variables: list[Any] = []

    def __call__(self, scaled: Any) -> Any:
        return self.features(scaled, False)


def _traced_for_training(function: Any) -> bool:
    return any(found.structured_input_signature[0][1:] == (True,) for found in function.concrete_functions)


def _head(holder: Any) -> Head:
    return Head(np.asarray(holder.kernel, np.float32), np.asarray(holder.bias, np.float32))
