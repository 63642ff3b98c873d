"""A small real IR with convolutions, made without TensorFlow, and labelled images that it tells apart."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino import opset13 as operations

from image_classifier import artifact_checksums, artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.inference.openvino_model import ir_record
from tests.support import tiny_models

SIZE, COLOURS = tiny_models.SIZE, tiny_models.COLOURS
_KERNEL = np.array([[1, -1, -1], [-1, 1, -1], [-1, -1, 1]], np.float32)
"""Output channel by colour: what a colour exceeds the others by."""


def write(folder: Path, binary: bool = False) -> Path:
    """Write a model folder of three colours with features, or with `binary` of green against red, by one sigmoid."""
    tiny_models.write(folder, "plain", features=True)
    ir = ir_record.folder_of(folder)
    openvino.save_model(_network(binary), ir / artifacts.OPENVINO_FILES[0], compress_to_fp16=False)
    info = artifacts.read_model_info(folder)
    record = ir_record.read_record(folder, info)
    assert record
    info = ir_record.with_record(info, replace(record, sha256=artifact_checksums.folder_sha256(ir)))
    artifacts.write_model_info(folder, replace(info, binary_mode=binary, extra={**info.extra, "verified": True}))
    artifacts.write_labels(folder, COLOURS[: 2 if binary else 3])
    return folder


def info_of(folder: Path) -> ModelInfo:
    """Return the model info that a folder holds now."""
    return artifacts.read_model_info(folder)


def images(count: int, classes: int = 3, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return noisy images, uint8 (n, 24, 32, 3), and the index of the colour that each has more of."""
    noise = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    pixels = noise.uniform(40, 200, (count, *SIZE, 3))
    pixels[np.arange(count), :, :, labels] += noise.uniform(10, 55, (count, 1, 1))
    return pixels.astype(np.uint8), labels.astype(np.int64)


def _network(binary: bool) -> openvino.Model:
    pixels = operations.parameter([-1, *SIZE, 3], openvino.Type.u8, name="pixels")
    scaled = operations.multiply(operations.convert(pixels, "f32"), np.float32(1 / 255))
    layers = operations.transpose(scaled, np.array([0, 3, 1, 2]))
    for index in range(2):
        kernel = np.random.default_rng(index).normal(0, 0.02, (3, 3, 3, 3)).astype(np.float32)
        kernel[:, :, 1, 1] += np.eye(3, dtype=np.float32) if index else _KERNEL
        convolved = operations.convolution(layers, kernel, [1, 1], [1, 1], [1, 1], [1, 1])
        layers = operations.relu(operations.add(convolved, np.full((1, 3, 1, 1), 0.3, np.float32)))
    pooled = operations.reduce_mean(layers, np.array([2, 3]), keep_dims=False)
    head = np.eye(3, dtype=np.float32) * 40
    if binary:
        head = head[:, 1:2] - head[:, :1]
    logits = operations.matmul(pooled, head, False, False)
    # A layer of the network's own, so that tests find the head by its name.
    logits.set_friendly_name("head")
    answered = operations.sigmoid(logits) if binary else operations.softmax(logits, 1)
    answered.output(0).get_tensor().set_names({artifacts.PROBABILITIES})
    pooled.output(0).get_tensor().set_names({artifacts.FEATURES})
    return openvino.Model([answered, pooled], [pixels], "convolutions")
