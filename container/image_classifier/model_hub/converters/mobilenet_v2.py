"""MobileNetV2 1.0 for 160 x 160 pixels in tf_keras, with the weights of a Keras HDF5 file.

Architecture: MobileNetV2 (arXiv 1801.04381), as tf_keras.applications has it. Input RGB in [0, 1], the Hub's
convention; scaled inside.
"""

import io
from typing import Any

import h5py
import numpy as np
import tf_keras
from numpy.typing import NDArray

from image_classifier.contract.errors import UserError

IMAGE_SIZE = (160, 160)
_GROUP = "model_weights/mobilenetv2_1.00_160"


def build(image_size: tuple[int, int] = IMAGE_SIZE) -> tf_keras.Model:
    """Return the network with fresh weights: float32 (n, h, w, 3) to features (n, 1280)."""
    inputs = tf_keras.Input((*image_size, 3), name="inputs")
    scaled = tf_keras.layers.Rescaling(2.0, -1.0, name="scale")(inputs)
    body = tf_keras.applications.MobileNetV2(
        input_shape=(*image_size, 3), include_top=False, weights=None, pooling="avg", input_tensor=scaled
    )
    return tf_keras.Model(inputs, body.output, name="mobilenet_v2")


def load_weights(network: tf_keras.Model, content: bytes) -> None:
    """Put the arrays of an HDF5 file into the network, by the layers' names. Nothing but arrays is read from it.

    Raises:
        UserError: An array is missing, has another shape, or is left over.
    """
    with h5py.File(io.BytesIO(content), "r") as file:
        left = _arrays(file[_GROUP])
    for layer in network.layers:
        if layer.weights:
            layer.set_weights([_take(left, weight) for weight in layer.weights])
    if left:
        raise UserError(f"The weight file has arrays that MobileNetV2 has no place for: {', '.join(sorted(left))}.")


def _arrays(group: Any) -> dict[str, NDArray[np.float32]]:
    found: dict[str, NDArray[np.float32]] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            layer, weight = name.split("/")[-2:]
            found[f"{layer}/{weight.removesuffix(':0')}"] = np.asarray(item, np.float32)

    group.visititems(visit)
    return found


def _take(left: dict[str, NDArray[np.float32]], weight: Any) -> NDArray[np.float32]:
    # Keras 3 calls a depthwise kernel `kernel`; tf_keras calls it `depthwise_kernel`.
    name = weight.name.removesuffix(":0").replace("/depthwise_kernel", "/kernel")
    array = left.pop(name, np.empty(0, np.float32))
    if array.shape != tuple(weight.shape):
        raise UserError(f"The weight file has {name} with shape {array.shape}; expected {tuple(weight.shape)}.")
    return array
