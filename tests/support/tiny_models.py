"""Model folders that are made in milliseconds, without TensorFlow: a real OpenVINO IR beside a SavedModel in name only.

They tell red, green and blue images apart; each has an order of its classes and labels of its own.
"""

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
import openvino
from openvino import opset13 as operations

from image_classifier import artifact_checksums, artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.evaluation import array_file, familiarity
from image_classifier.evaluation.evidence import Head
from image_classifier.evaluation.familiarity import FamiliarityModel
from image_classifier.inference.openvino_model import ir_record, precision_record
from image_classifier.inference.openvino_model.ir_record import Record
from image_classifier.inference.openvino_model.precision_record import Gate, Gated, Quantised

PASSED = Gate(
    images=400,
    accuracy_f32=0.9,
    accuracy=0.8975,
    drop_bound=0.007,
    label_flips=0.005,
    calibration_change=0.001,
    largest_difference=0.04,
    passed=True,
    failed_on=(),
)
"""The figures of a gate that a precision passed."""
SIZE = (24, 32)
COLOURS = ("red", "green", "blue")


@dataclass(frozen=True)
class TinyModel:
    """A model folder and what its labels begin with."""

    name: str
    folder: Path

    def label(self, colour: str) -> str:
        """Return the label that no other model gives an image of a colour."""
        return f"{self.name}-{colour}"


def write(
    folder: Path, name: str, first: int = 0, megabytes: float = 0, features: bool = False, imaging_version: int = 1
) -> TinyModel:
    """Write a model whose classes begin with the colour of index `first`, and whose weights are `megabytes` large.

    `imaging_version` is the one of its pixels, the oldest by default. With `features` its second output are the mean
    colours of the image's halves, (n, 6) in [0, 1].
    """
    order = [(first + index) % 3 for index in range(3)]
    model = TinyModel(name, folder)
    saved_model = folder / artifacts.SAVED_MODEL_DIR
    saved_model.mkdir(parents=True)
    (saved_model / "saved_model.pb").write_bytes(b"a SavedModel in name only")
    representation = ir_record.folder_of(folder)
    representation.mkdir()
    openvino.save_model(
        _network(order, megabytes, features), representation / artifacts.OPENVINO_FILES[0], compress_to_fp16=False
    )
    artifacts.write_labels(folder, [model.label(COLOURS[index]) for index in order])
    record = Record(
        sha256=artifact_checksums.folder_sha256(representation),
        network_sha256=artifact_checksums.network_sha256(saved_model),
        version=metadata.version("openvino"),
        images=0,
        synthetic=True,
        largest_difference=0,
        other_answers=0,
        close_answers=0,
        seconds=0,
    )
    info = ModelInfo(image_size=SIZE, source="test network", imaging_version=imaging_version)
    artifacts.write_model_info(folder, ir_record.with_record(info, record))
    return model


def without_representation(model: TinyModel) -> TinyModel:
    """Take the IR away, so that TensorFlow would have to serve the model."""
    representation = ir_record.folder_of(model.folder)
    for name in artifacts.OPENVINO_FILES:
        (representation / name).unlink()
    representation.rmdir()
    return model


def add_int8(model: TinyModel, first: int = 0, gate: Gate = PASSED, whole_range: bool = False) -> Path:
    """Add an int8 IR and its record; return its folder.

    In place of a quantised network it is one that is half as sure of its classes, so that responses tell them apart.
    """
    info = artifacts.read_model_info(model.folder)
    float32, folder = ir_record.read_record(model.folder, info), precision_record.folder_of(model.folder)
    assert float32 is not None
    folder.mkdir()
    network = _network([(first + index) % 3 for index in range(3)], 0, features=False, sharpness=6)
    openvino.save_model(network, folder / artifacts.OPENVINO_FILES[0], compress_to_fp16=False)
    record = Quantised(
        f32_sha256=float32.sha256,
        gate=gate,
        sha256=artifact_checksums.folder_sha256(folder),
        tool="none",
        steps=(),
        statistics_images=0,
        seconds=0,
        whole_range=whole_range,
    )
    artifacts.write_model_info(model.folder, precision_record.with_record(info, precision_record.INT8, record))
    return folder


def add_bf16(model: TinyModel, gate: Gate = PASSED) -> None:
    """Record the gate of bf16."""
    info = artifacts.read_model_info(model.folder)
    float32 = ir_record.read_record(model.folder, info)
    assert float32 is not None
    record = Gated(f32_sha256=float32.sha256, gate=gate)
    artifacts.write_model_info(model.folder, precision_record.with_record(info, precision_record.BF16, record))


def write_familiarity(folder: Path) -> FamiliarityModel:
    """Make greyish images familiar to a model whose features are the mean colours of the image's halves.

    Those between 0.4 and 0.6.
    """
    rows = np.random.default_rng(0).uniform(0.4, 0.6, (200, 6)).astype(np.float32)
    kernel = np.tile(np.eye(3, dtype=np.float32), (2, 1))
    found = familiarity.fit(rows[:100], rows[100:], Head(kernel, np.zeros(3, np.float32)))
    array_file.write(folder / artifacts.FAMILIARITY_FILE, found.arrays())
    return found


def _network(order: list[int], megabytes: float, features: bool, sharpness: float = 12) -> openvino.Model:
    """From uint8 pixels (n, height, width, 3) to probabilities of the colours in an order."""
    pixels = operations.parameter([-1, *SIZE, 3], openvino.Type.u8, name="pixels")
    means = operations.reduce_mean(operations.convert(pixels, "f32"), np.array([1, 2], np.int64), keep_dims=False)
    chosen = operations.gather(means, np.array(order, np.int64), np.int64(1))
    if width := int((megabytes * 2**20 / 4) ** 0.5):
        # A square, since OpenVINO keeps narrow matrices in several times their size.
        noise = np.random.default_rng(0)
        wide = operations.matmul(means, noise.random((3, width), np.float32), False, False)
        wide = operations.matmul(wide, noise.random((width, width), np.float32), False, False)
        narrow = operations.matmul(wide, noise.random((width, 3), np.float32), False, False)
        chosen = operations.add(chosen, operations.multiply(narrow, np.float32(1e-12)))
    probabilities = operations.softmax(operations.multiply(chosen, np.float32(sharpness / 255)), 1)
    if not features:
        return openvino.Model([probabilities], [pixels], "colours")
    left_and_right = [
        operations.reduce_mean(half, np.array([1, 2], np.int64), keep_dims=False)
        for half in operations.split(operations.convert(pixels, "f32"), 2, 2).outputs()
    ]
    pooled = operations.multiply(operations.concat(left_and_right, 1), np.float32(1 / 255))
    probabilities.output(0).get_tensor().set_names({artifacts.PROBABILITIES})
    pooled.output(0).get_tensor().set_names({artifacts.FEATURES})
    return openvino.Model([probabilities, pooled], [pixels], "colours")
