"""Make the OpenVINO IR of a model folder, and check it against TensorFlow before anything is served with it."""

import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier import artifacts, tensorflow_start
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError
from image_classifier.inference import agreement, intermediate_representation
from image_classifier.inference.agreement import Agreement
from image_classifier.inference.engines import Engine
from image_classifier.inference.intermediate_representation import Record

PICTURES = 100
"""How many pictures the check asks both engines about."""
_AT_ONCE = 20


class NotConverted(Exception):  # noqa: N818 - for a job it is no error
    """There is no IR; the text says why, without a full stop."""


@dataclass(frozen=True)
class Sample:
    """Pixels, uint8 (n, h, w, 3), that both engines are asked about."""

    pixels: NDArray[np.uint8]
    made_up: bool


def made_up_sample(info: ModelInfo, seed: int = 0) -> Sample:
    """Make pictures of gentle gradients and noise, for want of real ones; the same ones for the same seed."""
    noise = np.random.default_rng(seed)
    height, width = info.image_size
    across, down = np.linspace(0, 1, width)[None, :, None], np.linspace(0, 1, height)[:, None, None]
    pictures = []
    for _ in range(PICTURES // 2):
        corner, right, bottom = noise.uniform(0, 255, (3, 3))
        smooth = corner + across * (right - corner) + down * (bottom - corner)
        pictures.append(smooth + noise.normal(0, noise.uniform(0, 60), (height, width, 3)))
    return Sample(np.clip(pictures, 0, 255).astype(np.uint8), made_up=True)


def convert(folder: Path, info: ModelInfo, sample: Sample) -> Record:
    """Write the IR of a model folder, whole and checked, or leave everything as it is.

    Both engines compute in float32. The model info is not written; the record belongs into it.

    Raises:
        NotConverted: The network cannot be converted, or what came out answers otherwise than TensorFlow does.
        UserError: The SavedModel cannot be loaded.
    """
    started = time.monotonic()
    tensorflow_start.start()
    from image_classifier.inference.engines import pixel_functions, tensorflow

    engine = tensorflow.load_engine(folder, info)
    with pixel_functions.full_float32():
        expected = _answers(engine, sample.pixels)
    partial = folder / f".{artifacts.OPENVINO_DIR}.partial"
    reasons: list[str] = []
    try:
        for function in pixel_functions.candidates(engine, info, folder):
            try:
                _write(function, partial)
                found = _check(partial, info, sample.pixels, expected)
            except NotConverted as failure:
                reasons.append(str(failure))
                continue
            sha256 = _publish(partial, intermediate_representation.folder_of(folder))
            return _record(folder, sha256, sample, found, time.monotonic() - started)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    raise NotConverted(reasons[0])


def _answers(engine: Engine, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    parts = [engine.probabilities(pixels[start : start + _AT_ONCE]) for start in range(0, len(pixels), _AT_ONCE)]
    return np.concatenate(parts)


def _write(function: Any, folder: Path) -> None:
    import openvino

    from image_classifier.inference.engines import pixel_functions
    from image_classifier.inference.engines.openvino import reason

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    # From a file: on Python 3.13 OpenVINO 2026.4 stumbles over functions in memory (over its own `exec("del ...")`).
    graph = folder / "graph.pb"
    try:
        graph.write_bytes(pixel_functions.serialized(function))
        with tempfile.TemporaryDirectory(prefix="openvino-") as elsewhere:
            # By another name: OpenVINO takes a comma in a path for the end of it.
            link = Path(elsewhere) / graph.name
            link.symlink_to(graph.absolute())
            model = openvino.convert_model(link)
    except OSError:
        raise
    except Exception as error:  # whatever a network makes the converter stumble over, TensorFlow still serves it
        raise NotConverted(f"OpenVINO cannot convert it: {reason(error)}") from error
    # Compressed to 16 bits the weights would answer otherwise than TensorFlow's.
    openvino.save_model(model, folder / artifacts.OPENVINO_FILES[0], compress_to_fp16=False)
    graph.unlink()
    for name in artifacts.OPENVINO_FILES:
        with (folder / name).open("rb") as file:
            os.fsync(file.fileno())


def _check(folder: Path, info: ModelInfo, pixels: NDArray[np.uint8], expected: NDArray[np.float32]) -> Agreement:
    from image_classifier.inference.engines import openvino

    try:
        engine = openvino.load_engine(folder, info)
    except UserError as error:
        raise NotConverted(str(error).rstrip(".")) from error
    if engine.outputs != expected.shape[1]:
        raise NotConverted(f"it answers {engine.outputs} probabilities for a picture, TensorFlow {expected.shape[1]}")
    found = agreement.measure(expected, _answers(engine, pixels))
    # Written so that NaN fails too.
    if not found.largest_difference <= agreement.TOLERANCE or found.other_answers:
        raise NotConverted(
            f"on {len(pixels)} pictures its probabilities differ from TensorFlow's by up to "
            f"{found.largest_difference:.6f} (allowed: {agreement.TOLERANCE})"
        )
    return found


def _publish(partial: Path, target: Path) -> str:
    sha256 = artifacts.folder_sha256(partial)
    shutil.rmtree(target, ignore_errors=True)
    partial.replace(target)
    return sha256


def _record(folder: Path, sha256: str, sample: Sample, found: Agreement, seconds: float) -> Record:
    return Record(
        sha256=sha256,
        network_sha256=artifacts.network_sha256(artifacts.saved_model_folder(folder)),
        version=metadata.version("openvino"),
        pictures=len(sample.pixels),
        made_up=sample.made_up,
        largest_difference=found.largest_difference,
        other_answers=found.other_answers,
        close_answers=found.close_answers,
        seconds=round(seconds, 2),
    )
