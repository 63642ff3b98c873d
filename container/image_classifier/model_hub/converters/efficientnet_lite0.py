"""EfficientNet-Lite0 in tf_keras, with the weights of a PyTorch file.

Architecture: EfficientNet (arXiv 1905.11946) in its Lite form (TPU repository, `efficientnet/lite`): ReLU6, no
squeeze-and-excitation, stem and head of fixed width. Input RGB in [0, 1], the Hub's convention; scaled inside.
"""

from typing import Any

import numpy as np
import tf_keras
from numpy.typing import NDArray

from image_classifier.contract.errors import UserError

IMAGE_SIZE = (224, 224)
CLASSES = 1000
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Repeats, kernel, stride of the first, expansion, output channels."""
_BATCH_NORM = ("weight", "bias", "running_mean", "running_var")
layers = tf_keras.layers


def build(with_head: bool) -> tf_keras.Model:
    """Return the network with fresh weights: float32 (n, h, w, 3) to features (n, 1280) or logits (n, 1000)."""
    inputs = tf_keras.Input((None, None, 3), name="inputs")
    # (255x - 127) / 128: the range that the published weights were trained with.
    hidden = layers.Rescaling(255 / 128, -127 / 128, name="scale")(inputs)
    hidden = _norm(layers.Conv2D(32, 3, 2, "same", use_bias=False, name="conv_stem")(hidden), "bn0")
    index, channels = 0, 32
    for repeats, kernel, first_stride, expansion, filters in STAGES:
        for repeat in range(repeats):
            stride = first_stride if repeat == 0 else 1
            hidden = _block(hidden, f"blocks.{index}", channels, kernel, stride, expansion, filters)
            index, channels = index + 1, filters
    hidden = _norm(layers.Conv2D(1280, 1, use_bias=False, name="conv_head")(hidden), "bn1")
    output = layers.GlobalAveragePooling2D(name="features")(hidden)
    if with_head:
        output = layers.Dense(CLASSES, name="fc")(output)
    return tf_keras.Model(inputs, output, name="efficientnet_lite0")


def _block(inputs: Any, name: str, channels: int, kernel: int, stride: int, expansion: int, filters: int) -> Any:
    hidden = inputs
    if expansion != 1:
        expand = layers.Conv2D(channels * expansion, 1, use_bias=False, name=f"{name}.expand_conv")
        hidden = _norm(expand(hidden), f"{name}.bn0")
    depthwise = layers.DepthwiseConv2D(kernel, stride, "same", use_bias=False, name=f"{name}.depthwise_conv")
    hidden = _norm(depthwise(hidden), f"{name}.bn1")
    project = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}.project_conv")
    hidden = _norm(project(hidden), f"{name}.bn2", activate=False)
    return layers.Add(name=f"{name}.add")([hidden, inputs]) if stride == 1 and channels == filters else hidden


def _norm(hidden: Any, name: str, activate: bool = True) -> Any:
    hidden = layers.BatchNormalization(epsilon=1e-3, momentum=0.99, name=name)(hidden)
    return layers.ReLU(6.0, name=f"{name}.relu6")(hidden) if activate else hidden


def load_weights(network: tf_keras.Model, arrays: dict[str, NDArray[Any]], with_head: bool) -> None:
    """Put PyTorch's arrays into the network, transposed as TensorFlow wants them.

    A layer's name is PyTorch's without the underscores at the start of its parts, which TensorFlow does not allow.

    Raises:
        UserError: An array is missing, has another shape, or is left over.
    """
    left = {
        name.removeprefix("_").replace("._", "."): array
        for name, array in arrays.items()
        if not name.endswith(".num_batches_tracked")
    }
    if not with_head:
        left = {name: array for name, array in left.items() if not name.startswith("fc.")}
    for layer in network.layers:
        if layer.weights:
            layer.set_weights(_arrays_of(layer, left))
    if left:
        raise UserError(f"The weight file has arrays that EfficientNet-Lite0 has no place for: {', '.join(left)}.")


def _arrays_of(layer: Any, left: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
    if isinstance(layer, layers.BatchNormalization):
        names = [f"{layer.name}.{name}" for name in _BATCH_NORM]
    else:
        names = [f"{layer.name}.weight"] + ([f"{layer.name}.bias"] if len(layer.weights) == 2 else [])
    found = []
    for name, weight in zip(names, layer.weights, strict=True):
        array = _transposed(layer, left.pop(name, np.empty(0)))
        if array.shape != tuple(weight.shape):
            raise UserError(f"The weight file has {name} with shape {array.shape}; expected {tuple(weight.shape)}.")
        found.append(array)
    return found


def _transposed(layer: Any, array: NDArray[Any]) -> NDArray[Any]:
    if array.ndim == 2:
        return array.T
    if array.ndim == 4:
        # (out, in, h, w) -> (h, w, in, out); a depthwise kernel (channels, 1, h, w) -> (h, w, channels, 1).
        return array.transpose(2, 3, 0, 1) if isinstance(layer, layers.DepthwiseConv2D) else array.transpose(2, 3, 1, 0)
    return array
