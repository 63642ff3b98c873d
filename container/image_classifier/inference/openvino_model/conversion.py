"""Convert a model folder's network to OpenVINO IR and verify it against TensorFlow before it is installed.

The steps import the libraries that they need: most callers need one of both, and TensorFlow has to be imported by
`tensorflow_start.start`.
"""

import errno
import shutil
import tempfile
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier import artifact_checksums, artifacts, durable_files, own_files, tensorflow_start
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError
from image_classifier.inference.engines import openvino_errors
from image_classifier.inference.engines.engine import Engine
from image_classifier.inference.openvino_model import agreement, ir_record
from image_classifier.inference.openvino_model.agreement import Agreement
from image_classifier.inference.openvino_model.ir_record import Record

IMAGES = 100
"""Number of synthetic images on which both engines are compared."""
_BATCH = 20


class NotConverted(Exception):  # noqa: N818 - for a job it is not an error
    """The network could not be converted; the text is the reason, without a full stop."""


@dataclass(frozen=True)
class ComparisonImages:
    """Pixels, uint8 (n, h, w, 3), on which both engines are compared."""

    pixels: NDArray[np.uint8]
    synthetic: bool


def synthetic_images(info: ModelInfo, seed: int = 0) -> ComparisonImages:
    """Make images of gradients and noise where no real ones are at hand; reproducible by `seed`."""
    noise = np.random.default_rng(seed)
    height, width = info.image_size
    across, down = np.linspace(0, 1, width)[None, :, None], np.linspace(0, 1, height)[:, None, None]
    images = []
    for _ in range(IMAGES // 2):
        corner, right, bottom = noise.uniform(0, 255, (3, 3))
        smooth = corner + across * (right - corner) + down * (bottom - corner)
        images.append(smooth + noise.normal(0, noise.uniform(0, 60), (height, width, 3)))
    return ComparisonImages(np.clip(images, 0, 255).astype(np.uint8), synthetic=True)


def convert(folder: Path, info: ModelInfo, images: ComparisonImages, trust: bool = False) -> Record:
    """Convert, verify and install the IR of a model folder; on failure the folder stays unchanged.

    Both engines compute in float32. The caller writes the returned record into the model info.

    Raises:
        NotConverted: The network cannot be converted, or its outputs differ from TensorFlow's.
        UserError: The SavedModel is rejected (see `load_untrusted`, also for `trust`) or cannot be loaded.
    """
    started = time.monotonic()
    tensorflow_start.start()
    from image_classifier.inference.engines import pixel_functions, tensorflow

    engine = tensorflow.load_engine(folder, info, trust=trust)
    with pixel_functions.full_float32():
        expected = answers(engine, images.pixels)
    partial = partial_folder(folder)
    reasons: list[str] = []
    try:
        for function in pixel_functions.candidates(engine, info, folder):
            try:
                _write_function(function, partial)
                found = answers(load(partial, info), images.pixels)
                return install(partial, folder, expected, found, images.synthetic, started)
            except NotConverted as failure:
                reasons.append(str(failure))
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    raise NotConverted(reasons[0])


def partial_folder(folder: Path) -> Path:
    """Return the temporary folder in which the IR of a model folder is written and verified."""
    return folder / f".{artifacts.OPENVINO_DIR}.partial"


def answers(engine: Engine, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Run an engine on pixels, uint8 (n, h, w, 3), in small batches; returns probabilities (n, outputs)."""
    parts = [engine.probabilities(pixels[start : start + _BATCH]) for start in range(0, len(pixels), _BATCH)]
    return np.concatenate(parts)


def _write_function(function: Any, partial: Path) -> None:
    from image_classifier.inference.engines import pixel_functions

    try:
        serialized = pixel_functions.serialized(function)
    except Exception as error:  # TensorFlow still serves a network that it cannot freeze
        raise NotConverted(f"OpenVINO cannot convert it: {openvino_errors.reason(error)}") from error
    with tempfile.TemporaryDirectory(prefix="graph-") as scratch:
        graph = Path(scratch) / "graph.pb"
        graph.write_bytes(serialized)
        write(graph, partial)


def write(network: Path, partial: Path) -> None:
    """Convert a network from pixels to probabilities and, where exposed, features; needs no TensorFlow.

    `network` is the file of a frozen GraphDef, or the folder of a SavedModel with only that signature. The outputs of
    the IR are named `probabilities`, which come first, and `features`.

    Raises:
        NotConverted: OpenVINO cannot convert it.
        OSError: The disk is full or not writable.
    """
    # Not `openvino.convert_model`, which a serving process does not import; see engines/openvino.py.
    from openvino.tools.ovc import convert_model

    own_files.remove_folder(partial)
    partial.mkdir()
    try:
        # From a file: on Python 3.13 OpenVINO 2026.4 fails on functions in memory (its own `exec("del ...")`).
        with tempfile.TemporaryDirectory(prefix="openvino-") as elsewhere:
            # Through a link: OpenVINO takes a comma in a path for a separator.
            link = Path(elsewhere) / network.name
            link.symlink_to(network.absolute())
            model = _named(convert_model(link))
    except OSError:
        raise
    except Exception as error:  # TensorFlow still serves a network that the converter fails on
        raise NotConverted(f"OpenVINO cannot convert it: {openvino_errors.reason(error)}") from error
    save(model, partial)


def save(model: Any, folder: Path) -> None:
    """Write an IR into an existing folder, with weights as they are: 16 bits would give other probabilities.

    Raises:
        OSError: The disk is full or not writable.
    """
    import openvino

    try:
        openvino.save_model(model, folder / artifacts.OPENVINO_FILES[0], compress_to_fp16=False)
    except RuntimeError as error:
        # Whatever the operating system said, it has this type.
        free = shutil.disk_usage(folder).free
        message = f"OpenVINO cannot write all of it ({openvino_errors.reason(error)}); {free:,} bytes are free"
        raise OSError(errno.EIO, message, str(folder)) from error
    durable_files.sync_tree(folder)


def _named(model: Any) -> Any:
    import openvino

    results = model.get_results()
    for result in results:
        # Tensor names of TensorFlow, such as `answer/features:0`.
        words = {name.partition(":")[0].rpartition("/")[2] for name in result.output(0).get_names()}
        is_features = artifacts.FEATURES in words and len(results) > 1
        result.output(0).set_names({artifacts.FEATURES if is_features else artifacts.PROBABILITIES})
    results.sort(key=lambda result: artifacts.FEATURES in result.output(0).get_names())
    return openvino.Model(results, model.get_parameters(), model.get_friendly_name())


def load(partial: Path, info: ModelInfo) -> Engine:
    """Load an IR that was not verified yet.

    Raises:
        NotConverted: It cannot be loaded, or its input does not match the model info.
    """
    from image_classifier.inference.engines import openvino

    try:
        return openvino.load_engine(partial, info)
    except UserError as error:
        raise NotConverted(str(error).rstrip(".")) from error


def install(
    partial: Path,
    folder: Path,
    expected: NDArray[np.float32],
    found: NDArray[np.float32],
    synthetic: bool,
    started: float,
) -> Record:
    """Move an IR into its model folder if its probabilities `found` agree with TensorFlow's `expected`, both (n, K).

    `started` is the `time.monotonic` time at which the conversion began. On failure the folder stays unchanged.

    Raises:
        NotConverted: The probabilities differ.
        UserError: A link or a file lies in the IR's place.
    """
    agreed = _agreed(expected, found)
    sha256, target = artifact_checksums.folder_sha256(partial), ir_record.folder_of(folder)
    own_files.remove_folder(target)
    durable_files.rename_folder(partial, target)
    return Record(
        sha256=sha256,
        network_sha256=artifact_checksums.network_sha256(artifacts.saved_model_folder(folder)),
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
        raise NotConverted(f"it returns {found.shape[1]} probabilities per image, TensorFlow {expected.shape[1]}")
    measured = agreement.measure(expected, found)
    # The comparison also fails for NaN.
    if not measured.largest_difference <= agreement.TOLERANCE or measured.other_answers:
        raise NotConverted(
            f"on {len(expected)} images its probabilities differ from TensorFlow's by up to "
            f"{measured.largest_difference:.6f} (allowed: {agreement.TOLERANCE})"
        )
    return measured
