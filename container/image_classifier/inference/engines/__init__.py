"""Inference engines, one per module. This one selects the engine before any slow import.

Not even NumPy is imported: `serve` needs the selection before it starts the server.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from image_classifier import artifacts, tensorflow_start
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError
from image_classifier.inference.openvino_model import ir_record
from image_classifier.inference.openvino_model.ir_record import Record
from image_classifier.resources import processors

if TYPE_CHECKING:
    from image_classifier.inference.engines.engine import Engine

NAMES = ("auto", "openvino", "tensorflow")
PRECISIONS = ("f32", "bf16")


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
    record: Record | None = field(default=None, compare=False)
    """Record of the IR that openvino runs; None for tensorflow."""


def choose(folder: Path, info: ModelInfo, options: EngineOptions) -> EngineSelection:
    """Select the engine from the installed libraries, the content of the model folder and the hardware.

    Raises:
        UserError: The requested engine or precision is unavailable; the message says what to do.
    """
    if options.precision == "bf16" and not processors.has_bfloat16():
        raise UserError(
            "SERVE_PRECISION is bf16, but this CPU has no bfloat16 instructions (neither avx512_bf16 nor amx_bf16). "
            "Unset the variable, or choose an instance type whose CPU has them."
        )
    chosen = _choose(folder, info, options.engine)
    if options.precision == "bf16" and chosen.engine == "tensorflow":
        raise UserError(
            f"SERVE_PRECISION is bf16, which only the openvino engine supports, but {folder} would be served by "
            f"tensorflow. Unset the variable, or run {ir_record.remedy(folder)}."
        )
    return chosen


def _choose(folder: Path, info: ModelInfo, wanted: str) -> EngineSelection:
    installed = tensorflow_start.is_installed()
    if wanted == "tensorflow" or (wanted == "auto" and installed and _tensorflow_has_gpu()):
        if not installed:
            raise UserError(
                "SERVE_ENGINE is tensorflow, which is not installed here. Unset the variable, or use the cpu or gpu "
                "target of the Docker image."
            )
        return EngineSelection("tensorflow")
    record = ir_record.read_record(folder, info)
    lack = _lack(folder, record)
    if lack is None:
        return EngineSelection("openvino", record=record)
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
    record = choose(folder, info, options).record
    if record is not None:
        ir_record.check_undamaged(folder, record)
        from image_classifier.inference.engines import openvino

        converted = ir_record.folder_of(folder)
        return openvino.load_engine(
            converted, info, options.precision, options.single_compilation, options.sole_process
        )
    tensorflow_start.start()
    from image_classifier.inference.engines import tensorflow
    from image_classifier.inference.engines.execution_mode import execution_mode_of

    mode = execution_mode_of(info, tensorflow.has_gpu(), options.force_float32)
    return tensorflow.load_engine(folder, info, mode, trust)
