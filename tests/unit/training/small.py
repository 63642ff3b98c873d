"""Small real things for the training tests: coloured images and a small Hub-like backbone."""

import colorsys
import functools
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from image_classifier import artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.class_folders.listing import Example
from image_classifier.contract import hyperparameters
from image_classifier.contract.hyperparameters import Hyperparameters


def write_images(folder: Path, classes: int = 3, count: int = 20, seed: int = 0, random: bool = False) -> Path:
    """Write one folder of noisy coloured images a class; `random` colours make the twin that cannot be learned."""
    for label, images in enumerate(_encoded_images(classes, count, seed, random)):
        (folder / f"colour-{label}").mkdir(parents=True)
        for index, image in enumerate(images):
            (folder / f"colour-{label}" / f"{index:03}.png").write_bytes(image)
    return folder


@functools.cache
def _encoded_images(classes: int, count: int, seed: int, random: bool) -> list[list[bytes]]:
    """Draw and encode the images of each class; most tests ask for the same."""
    noise = np.random.default_rng(seed)
    found: list[list[bytes]] = []
    for label in range(classes):
        found.append([])
        for _ in range(count):
            hue = noise.random() if random else label / classes
            colour = np.array(colorsys.hsv_to_rgb(hue, 0.8, 0.8)) * 255
            pixels = np.clip(colour + noise.normal(0, 30, (40, 48, 3)), 0, 255).astype(np.uint8)
            file = io.BytesIO()
            Image.fromarray(pixels).save(file, "PNG")
            found[-1].append(file.getvalue())
    return found


def grey_levels(folder: Path, count: int) -> list[Example]:
    """Write `count` images whose grey level is their number."""
    examples = []
    for level in range(count):
        path = folder / f"{level:03}.png"
        Image.new("RGB", (9, 7), (level, level, level)).save(path)
        examples.append(Example(path, level % 2))
    return examples


def settings(**given: object) -> Hyperparameters:
    """Parse hyperparameters as a job would."""
    return hyperparameters.parse(given).values


def build_network(size: tuple[int | None, int | None], batch_norm: bool = True, seed: int = 1) -> Any:
    """Build a small convolutional network with pooled features, (n, h, w, 3) float32 to (n, 12)."""
    import tf_keras

    layers = tf_keras.layers
    initial = tf_keras.initializers.GlorotUniform
    inputs = tf_keras.Input((*size, 3))
    hidden = layers.Conv2D(8, 3, strides=2, padding="same", kernel_initializer=initial(seed))(inputs)
    if batch_norm:
        hidden = layers.BatchNormalization(momentum=0.9)(hidden)
    hidden = layers.Conv2D(12, 3, strides=2, padding="same", kernel_initializer=initial(seed + 1))(
        layers.ReLU()(hidden)
    )
    return tf_keras.Model(inputs, layers.GlobalAveragePooling2D()(hidden))


def save_backbone(folder: Path, info: ModelInfo, network: Any) -> Path:
    """Save a network as a model folder with the Hub's calling convention."""
    from image_classifier.model_hub.converters import reusable_saved_model

    reusable_saved_model.save(network, folder / artifacts.SAVED_MODEL_DIR)
    artifacts.write_model_info(folder, info)
    return folder
