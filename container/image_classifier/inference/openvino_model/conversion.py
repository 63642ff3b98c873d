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

from image_classifier import artifacts, own_files, tensorflow_start
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError
from image_classifier.inference.engines.engine import Engine
from image_classifier.inference.openvino_model import agreement, ir_record
from image_classifier.inference.openvino_model.agreement import Agreement
from image_classifier.inference.openvino_model.ir_record import Record

IMAGES = 100
"""How many images the check asks both engines about."""
_AT_ONCE = 20


class NotConverted(Exception):  # noqa: N818 - for a job it is no error
    """There is no IR; the text says why, without a full stop."""


@dataclass(frozen=True)
class Sample:
    """Pixels, uint8 (n, h, w, 3), that both engines are asked about."""

    pixels: NDArray[np.uint8]
    synthetic: bool


def made_up_sample(info: ModelInfo, seed: int = 0) -> Sample:
    """Make images of gentle gradients and noise, for want of real ones; the same ones for the same seed."""
    noise = np.random.default_rng(seed)
    height, width = info.image_size
    across, down = np.linspace(0, 1, width)[None, :, None], np.linspace(0, 1, height)[:, None, None]
    images = []
    for _ in range(IMAGES // 2):
        corner, right, bottom = noise.uniform(0, 255, (3, 3))
        smooth = corner + across * (right - corner) + down * (bottom - corner)
        images.append(smooth + noise.normal(0, noise.uniform(0, 60), (height, width, 3)))
    return Sample(np.clip(images, 0, 255).astype(np.uint8), synthetic=True)


def convert(folder: Path, info: ModelInfo, sample: Sample, trust: bool = False) -> Record:
    """Write the IR of a model folder, whole and checked, or leave everything as it is.

    Both engines compute in float32. The model info is not written; the record belongs into it.

    Raises:
        NotConverted: The network cannot be converted, or what came out answers otherwise than TensorFlow does.
        UserError: The SavedModel is rejected (see `load_untrusted`, also for `trust`) or cannot be loaded.
    """
    started = time.monotonic()
    tensorflow_start.start()
    from image_classifier.inference.engines import pixel_functions, tensorflow

    engine = tensorflow.load_engine(folder, info, trust=trust)
    with pixel_functions.full_float32():
        expected = answers(engine, sample.pixels)
    partial = partial_folder(folder)
    reasons: list[str] = []
    try:
        for function in pixel_functions.candidates(engine, info, folder):
            try:
                _write_function(function, partial)
                found = answers(load(partial, info), sample.pixels)
                return publish(partial, folder, expected, found, sample.synthetic, started)
            except NotConverted as failure:
                reasons.append(str(failure))
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    raise NotConverted(reasons[0])


def partial_folder(folder: Path) -> Path:
    """Return where the IR of a model folder is written before it is whole and checked."""
    return folder / f".{artifacts.OPENVINO_DIR}.partial"


def answers(engine: Engine, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Ask an engine about pixels, uint8 (n, h, w, 3), a few at once; returns probabilities (n, outputs)."""
    parts = [engine.probabilities(pixels[start : start + _AT_ONCE]) for start in range(0, len(pixels), _AT_ONCE)]
    return np.concatenate(parts)


def _write_function(function: Any, partial: Path) -> None:
    from image_classifier.inference.engines import pixel_functions
    from image_classifier.inference.engines.openvino import reason

    try:
        serialized = pixel_functions.serialized(function)
    except Exception as error:  # whatever a network makes TensorFlow's freezing stumble over, it still serves it
        raise NotConverted(f"OpenVINO cannot convert it: {reason(error)}") from error
    with tempfile.TemporaryDirectory(prefix="graph-") as scratch:
        graph = Path(scratch) / "graph.pb"
        graph.write_bytes(serialized)
        write(graph, partial)


def write(network: Path, partial: Path) -> None:
    """Convert a network from pixels to probabilities and, where it has them, features; needs no TensorFlow.

    `network` is the file of a GraphDef with the weights in it, or the folder of a SavedModel with that signature alone.
    The IR's outputs are called `probabilities`, which come first, and `features`.

    Raises:
        NotConverted: OpenVINO cannot.
        OSError: The disk rejects it.
    """
    import openvino

    # Not `openvino.convert_model`: a process that serves leaves it out, see the engine.
    from openvino.tools.ovc import convert_model

    from image_classifier.inference.engines.openvino import reason

    own_files.remove_folder(partial)
    partial.mkdir()
    try:
        # From a file: on Python 3.13 OpenVINO 2026.4 stumbles over functions in memory (its own `exec("del ...")`).
        with tempfile.TemporaryDirectory(prefix="openvino-") as elsewhere:
            # By another name: OpenVINO takes a comma in a path for the end of it.
            link = Path(elsewhere) / network.name
            link.symlink_to(network.absolute())
            model = _named(convert_model(link))
    except OSError:
        raise
    except Exception as error:  # whatever a network makes the converter stumble over, TensorFlow still serves it
        raise NotConverted(f"OpenVINO cannot convert it: {reason(error)}") from error
    # Compressed to 16 bits the weights would answer otherwise than TensorFlow's.
    openvino.save_model(model, partial / artifacts.OPENVINO_FILES[0], compress_to_fp16=False)
    for name in artifacts.OPENVINO_FILES:
        with (partial / name).open("rb") as file:
            os.fsync(file.fileno())


def _named(model: Any) -> Any:
    import openvino

    results = model.get_results()
    for result in results:
        # TensorFlow's names of tensors, such as `answer/features:0`.
        words = {name.partition(":")[0].rpartition("/")[2] for name in result.output(0).get_names()}
        is_features = artifacts.FEATURES in words and len(results) > 1
        result.output(0).set_names({artifacts.FEATURES if is_features else artifacts.PROBABILITIES})
    results.sort(key=lambda result: artifacts.FEATURES in result.output(0).get_names())
    return openvino.Model(results, model.get_parameters(), model.get_friendly_name())


def load(partial: Path, info: ModelInfo) -> Engine:
    """Load an IR that is not yet known to be one.

    Raises:
        NotConverted: It cannot be loaded, or takes other images than the model info says.
    """
    from image_classifier.inference.engines import openvino

    try:
        return openvino.load_engine(partial, info)
    except UserError as error:
        raise NotConverted(str(error).rstrip(".")) from error


def publish(
    partial: Path,
    folder: Path,
    expected: NDArray[np.float32],
    found: NDArray[np.float32],
    synthetic: bool,
    started: float,
) -> Record:
    """Put an IR into its model folder when its probabilities, `found`, are TensorFlow's, `expected`; both (n, K).

    `started` is when the conversion began, a time of `time.monotonic`.

    Raises:
        NotConverted: They are others; the folder is as it was.
        UserError: A link or a file lies where the IR goes; the folder is as it was.
    """
    agreed = _agreed(expected, found)
    sha256, target = artifacts.folder_sha256(partial), ir_record.folder_of(folder)
    own_files.remove_folder(target)
    partial.replace(target)
    return Record(
        sha256=sha256,
        network_sha256=artifacts.network_sha256(artifacts.saved_model_folder(folder)),
        version=metadata.version("openvino"),
        images=len(expected),
        synthetic=synthetic,
        largest_difference=agreed.largest_difference,
        other_answers=agreed.other_answers,
        close_answers=agreed.close_answers,
        seconds=round(time.monotonic() - started, 2),
    )


def _agreed(expected: NDArray[np.float32], found: NDArray[np.float32]) -> Agreement:
    if found.shape[1] != expected.shape[1]:
        raise NotConverted(f"it answers {found.shape[1]} probabilities for an image, TensorFlow {expected.shape[1]}")
    measured = agreement.measure(expected, found)
    # Written so that NaN fails too.
    if not measured.largest_difference <= agreement.TOLERANCE or measured.other_answers:
        raise NotConverted(
            f"on {len(expected)} images its probabilities differ from TensorFlow's by up to "
            f"{measured.largest_difference:.6f} (allowed: {agreement.TOLERANCE})"
        )
    return measured
