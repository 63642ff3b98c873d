"""Inference engines, one per module. This one selects the engine before any slow import.

Not even NumPy is imported: `serve` needs the selection before it starts the server. An engine and its library are
imported when a model is loaded.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from image_classifier import artifacts, tensorflow_start
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError
from image_classifier.inference.engines import execution_mode, precision
from image_classifier.inference.engines.precision import PrecisionChoice
from image_classifier.inference.openvino_model import ir_record
from image_classifier.inference.openvino_model.ir_record import Record
from image_classifier.resources import processors

if TYPE_CHECKING:
    from image_classifier.inference.engines.engine import Engine

NAMES = ("auto", "openvino", "tensorflow")
PRECISIONS = precision.NAMES


@dataclass(frozen=True)
class EngineOptions:
    """Requested engine, one of `NAMES`, and how it computes."""

    engine: str = "auto"
    precision: str = "f32"
    """One of `PRECISIONS`."""
    force_float32: bool = False
    """TensorFlow computes in float32 even for a model that was trained in float16 and is served on a GPU."""
    single_compilation: bool = False
    """OpenVINO compiles only the throughput mode: less memory, higher latency for a single in-flight request."""
    sole_process: bool = False
    """No other worker of this server computes on the same CPUs."""


DEFAULT_OPTIONS = EngineOptions()


@dataclass(frozen=True)
class EngineSelection:
    """The engine selected for a model folder."""

    engine: str
    note: str | None = None
    """One sentence for the server's operator, for the log."""
    precision: PrecisionChoice | None = field(default=None, compare=False)
    """The precision in which openvino computes, and the files that it runs; None for tensorflow."""


def choose(folder: Path, info: ModelInfo, options: EngineOptions) -> EngineSelection:
    """Select the engine from the installed libraries, the content of the model folder and the hardware.

    Raises:
        UserError: The requested engine or precision is unavailable; the message says what to do.
    """
    if options.precision == precision.BF16:
        precision.require_bfloat16()
    chosen = _choose(folder, info, options)
    if chosen.engine == "tensorflow" and options.precision in (precision.BF16, precision.INT8):
        raise UserError(
            f"SERVE_PRECISION is {options.precision}, which only the openvino engine supports, but {folder} would be "
            f"served by tensorflow. Unset the variable, set SERVE_ENGINE to openvino, or run "
            f"{ir_record.remedy(folder)}."
        )
    return chosen


def _choose(folder: Path, info: ModelInfo, options: EngineOptions) -> EngineSelection:
    wanted, installed = options.engine, tensorflow_start.is_installed()
    if wanted == "tensorflow" or (wanted == "auto" and installed and _tensorflow_has_gpu()):
        if not installed:
            raise UserError(
                "SERVE_ENGINE is tensorflow, which is not installed here. Unset the variable, or use the cpu or gpu "
                "target of the Docker image."
            )
        return EngineSelection("tensorflow")
    record = ir_record.read_record(folder, info)
    lack = _lack(folder, record)
    if lack is None and record is not None:
        chosen = precision.choose(folder, info, record, options.precision)
        return EngineSelection("openvino", chosen.note, chosen)
    if wanted == "openvino" or not installed:
        why = "SERVE_ENGINE is openvino" if wanted == "openvino" else "TensorFlow is not installed here"
        raise UserError(f"{why}, but {lack}. Create one with {ir_record.remedy(folder)} where TensorFlow is installed.")
    return EngineSelection("tensorflow", f"Using TensorFlow: {lack}. Create one with {ir_record.remedy(folder)}.")


def _lack(folder: Path, record: Record | None) -> str | None:
    if record is None:
        return f"{folder} has no OpenVINO IR"
    if ir_record.is_stale(folder, record):
        return f"the OpenVINO IR in {folder} was converted from another SavedModel than the one beside it"
    return None


def _tensorflow_has_gpu() -> bool:
    if not processors.has_gpu():
        return False
    from importlib import metadata

    # Asking TensorFlow itself would import it.
    return not list(metadata.distributions(name="tensorflow-cpu"))


def completed(folder: Path, info: ModelInfo, options: EngineOptions = DEFAULT_OPTIONS) -> tuple[ModelInfo, str | None]:
    """Return the model info completed from the SavedModel, and a warning that lists the assumptions.

    An IR is self-describing and was verified against TensorFlow, so nothing is assumed for it.

    Raises:
        UserError: The requested engine is unavailable, or the SavedModel cannot be read.
    """
    if not artifacts.unrecorded(folder) or choose(folder, info, options).engine != "tensorflow":
        return info, None
    # Only a SavedModel of another program comes this far.
    from image_classifier.untrusted_models import assumptions

    return assumptions.complete(folder, info)


def load(folder: Path, info: ModelInfo, trust: bool, options: EngineOptions = DEFAULT_OPTIONS) -> "Engine":
    """Load the network of a model folder with the engine that `choose` selects.

    Args:
        folder: A model folder.
        info: Its model info.
        trust: Accept any operation in the SavedModel, see `untrusted_models`; an IR cannot reach files or the network.
        options: The requested engine and precision.

    Raises:
        UserError: The model is unusable or rejected, or the requested engine is unavailable.
    """
    chosen = choose(folder, info, options).precision
    if chosen is not None:
        chosen.check_undamaged(folder)
        from image_classifier.inference.engines import openvino

        return openvino.load_engine(
            chosen.network, info, chosen.precision, options.single_compilation, options.sole_process
        )
    tensorflow_start.start()
    from image_classifier.inference.engines import tensorflow

    mode = execution_mode.execution_mode_of(info, tensorflow.has_gpu(), options.force_float32)
    return tensorflow.load_engine(folder, info, mode, trust)
