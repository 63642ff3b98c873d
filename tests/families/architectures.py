"""The catalogue's families as real graphs with random weights: full size for the benchmark, shortened for the tests."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import tf_keras

applications, layers = tf_keras.applications, tf_keras.layers
Size = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """One network, as a model of the Hub would hold it: RGB in [0, 1] or standardised, pooled features out."""

    name: str
    size: Size
    """Height and width that it was published for."""
    body: Callable[[Any], tf_keras.Model]
    """From scaled images, a Keras tensor, to a network whose last feature map or vector is the output."""
    cut_after: str
    """The layer that the small one ends with."""
    scale: tuple[float, float] | None = None
    """Factor and offset from [0, 1] to what the body takes, inside the network as Hub modules have it."""
    dynamic: bool = False
    """Whether the module takes images of any size."""
    small_size: Size = (32, 48)

    def build(self, classes: int | None = None) -> tf_keras.Model:
        """Return the whole network: features, or logits with `classes`."""
        return self._built(self.size, None, classes)

    def build_small(self, classes: int | None = None) -> tf_keras.Model:
        """Return its first blocks, for small images that are not square."""
        return self._built(self.small_size, self.cut_after, classes)

    def _built(self, size: Size, cut_after: str | None, classes: int | None) -> tf_keras.Model:
        inputs = tf_keras.Input((*((None, None) if self.dynamic else size), 3), name="inputs")
        body = self.body(layers.Rescaling(*self.scale)(inputs) if self.scale else inputs)
        output = body.get_layer(cut_after).output if cut_after else body.output
        pooled = layers.GlobalAveragePooling2D()(output) if len(output.shape) == 4 else output
        network = tf_keras.Model(inputs, pooled if classes is None else layers.Dense(classes, name="head")(pooled))
        settle(network, size)
        return network


def settle(network: tf_keras.Model, size: Size) -> None:
    """Give BatchNorm the statistics of synthetic images.

    With those that it starts with, the answers of a deep random network are the same for every image or overflow,
    and then two engines agree whatever is wrong.
    """
    normalisations = [layer for layer in network.layers if isinstance(layer, layers.BatchNormalization)]
    momenta = [layer.momentum for layer in normalisations]
    for layer in normalisations:
        layer.momentum = 0.0
    network(made_up_images(8, size).astype(np.float32) / 255, training=True)
    for layer, momentum in zip(normalisations, momenta, strict=True):
        layer.momentum = momentum


def made_up_images(count: int, size: Size, seed: int = 0) -> np.ndarray:
    """Return images, uint8 (count, h, w, 3), of one colour each with noise."""
    noise = np.random.default_rng(seed)
    colours, strength = noise.uniform(0, 255, (count, 1, 1, 3)), noise.uniform(5, 60, (count, 1, 1, 1))
    return np.clip(colours + strength * noise.normal(size=(count, *size, 3)), 0, 255).astype(np.uint8)


def _application(name: str, **options: Any) -> Callable[[Any], tf_keras.Model]:
    def body(tensor: Any) -> tf_keras.Model:
        shape = tuple(tensor.shape[1:])
        build = getattr(applications, name)
        return build(include_top=False, weights=None, input_tensor=tensor, input_shape=shape, **options)

    return body


_CENTRED = (2.0, -1.0)
_BYTES = (255.0, 0.0)
_ALL = (
    Architecture(
        name="MobileNet V1 0.25",
        size=(128, 128),
        body=_application("MobileNet", alpha=0.25),
        cut_after="conv_pw_3_relu",
        scale=_CENTRED,
    ),
    Architecture(
        name="MobileNet V1 1.0",
        size=(224, 224),
        body=_application("MobileNet"),
        cut_after="conv_pw_2_relu",
        scale=_CENTRED,
        dynamic=True,
    ),
    Architecture(
        name="MobileNet V2 1.0",
        size=(224, 224),
        body=_application("MobileNetV2"),
        cut_after="block_2_add",
        scale=_CENTRED,
        dynamic=True,
    ),
    Architecture(
        name="MobileNet V3 large",
        size=(224, 224),
        body=_application("MobileNetV3Large", include_preprocessing=False),
        cut_after="expanded_conv_3/project/BatchNorm",
        scale=_CENTRED,
    ),
    Architecture(
        name="ResNet V1 50", size=(224, 224), body=_application("ResNet50"), cut_after="conv2_block2_out", dynamic=True
    ),
    Architecture(
        name="ResNet V2 50",
        size=(224, 224),
        body=_application("ResNet50V2"),
        cut_after="conv2_block2_out",
        scale=_CENTRED,
    ),
    Architecture(
        name="Inception V3",
        size=(299, 299),
        body=_application("InceptionV3"),
        cut_after="mixed0",
        scale=_CENTRED,
        small_size=(75, 80),
    ),
    Architecture(
        name="Inception-ResNet V2",
        size=(299, 299),
        body=_application("InceptionResNetV2"),
        cut_after="block35_1_ac",
        scale=_CENTRED,
        small_size=(75, 80),
    ),
    Architecture(
        name="NASNet mobile",
        size=(224, 224),
        body=_application("NASNetMobile"),
        cut_after="reduction_concat_stem_1",
        scale=_CENTRED,
    ),
    Architecture(
        name="NASNet large",
        size=(331, 331),
        body=_application("NASNetLarge"),
        cut_after="reduction_concat_stem_1",
        scale=_CENTRED,
    ),
    Architecture(
        name="EfficientNet V1 B0",
        size=(224, 224),
        body=_application("EfficientNetB0"),
        cut_after="block2b_add",
        scale=_BYTES,
    ),
    Architecture(
        name="EfficientNet V2 B0",
        size=(224, 224),
        body=_application("EfficientNetV2B0", include_preprocessing=False),
        cut_after="block4a_project_bn",
        scale=_CENTRED,
        dynamic=True,
    ),
)
ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType({item.name: item for item in _ALL})
"""By name, in the order of their publication's families."""
