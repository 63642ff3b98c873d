"""What runs the network: one engine a file. Which one, is decided here, before anything slow is imported.

That includes NumPy: `serve` asks for the decision before there is a server.
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
    """Which engine is wanted: one of `NAMES`, computing in one of `PRECISIONS`."""

    engine: str = "auto"
    precision: str = "f32"
    exact: bool = False
    """Whether TensorFlow keeps to float32 even where a model was trained in float16 and a GPU serves it."""
    compact: bool = False
    """Whether OpenVINO compiles a network once instead of twice: less memory, and slower for who is alone."""
    exclusive: bool = False
    """Whether no other process of the server computes on the same CPUs."""


NO_WISH = EngineOptions()


@dataclass(frozen=True)
class EngineSelection:
    """Which engine a model folder gets."""

    engine: str
    remark: str | None = None
    """What whoever runs the server should know about it, one sentence."""
    record: Record | None = field(default=None, compare=False)
    """Of the IR that openvino runs; None for tensorflow."""


def choose(folder: Path, info: ModelInfo, wish: EngineOptions) -> EngineSelection:
    """Decide on the engine by what is installed, what the model folder holds and what the machine has.

    Raises:
        UserError: What is wanted cannot be had; the message says what to do.
    """
    if wish.precision == "bf16" and not processors.has_bfloat16():
        raise UserError(
            "SERVE_PRECISION is bf16, and this machine's CPU does not compute in bfloat16 (neither avx512_bf16 nor "
            "amx_bf16). Leave the variable out, or choose an instance type whose CPU does."
        )
    chosen = _choose(folder, info, wish.engine)
    if wish.precision == "bf16" and chosen.engine == "tensorflow":
        raise UserError(
            f"SERVE_PRECISION is bf16, which the engine openvino alone offers, and {folder} would be served by "
            f"tensorflow. Leave the variable out, or run {ir_record.remedy(folder)}."
        )
    return chosen


def _choose(folder: Path, info: ModelInfo, wanted: str) -> EngineSelection:
    installed = tensorflow_start.is_installed()
    if wanted == "tensorflow" or (wanted == "auto" and installed and _tensorflow_has_gpu()):
        if not installed:
            raise UserError(
                "SERVE_ENGINE is tensorflow, which is not installed here. Leave the variable out, or use the image's "
                "cpu or gpu target."
            )
        return EngineSelection("tensorflow")
    record = ir_record.read_record(folder, info)
    lack = _lack(folder, record)
    if lack is None:
        return EngineSelection("openvino", record=record)
    if wanted == "openvino" or not installed:
        why = "SERVE_ENGINE is openvino" if wanted == "openvino" else "TensorFlow is not installed here"
        raise UserError(
            f"{why}, and {lack}. Run {ir_record.remedy(folder)} where TensorFlow is installed, which makes one."
        )
    remark = f"TensorFlow answers, since {lack}: {ir_record.remedy(folder)} makes one."
    return EngineSelection("tensorflow", remark)


def _lack(folder: Path, record: Record | None) -> str | None:
    if record is None:
        return f"{folder} has no OpenVINO IR"
    if ir_record.is_stale(folder, record):
        return f"the OpenVINO IR in {folder} was made from another SavedModel than the one beside it"
    return None


def _tensorflow_has_gpu() -> bool:
    if not processors.has_gpu():
        return False
    from importlib import metadata

    # Asking TensorFlow itself would import it.
    return not list(metadata.distributions(name="tensorflow-cpu"))


def completed(folder: Path, info: ModelInfo, wish: EngineOptions = NO_WISH) -> tuple[ModelInfo, str | None]:
    """Return the model info with what the SavedModel itself declares, and a warning about what is assumed.

    An IR declares everything that is needed of it, and is made only where TensorFlow answered as it does.

    Raises:
        UserError: The engine that is wanted cannot be had, or there is no readable SavedModel.
    """
    if not artifacts.unrecorded(folder) or choose(folder, info, wish).engine != "tensorflow":
        return info, None
    from image_classifier.untrusted_models import assumptions

    return assumptions.complete(folder, info)


def load(folder: Path, info: ModelInfo, trust: bool, wish: EngineOptions = NO_WISH) -> "Engine":
    """Load the network of a model folder with the engine that suits it.

    Args:
        folder: A model folder.
        info: What its model info says.
        trust: Whether the SavedModel may contain any operation, see `untrusted_models`; an IR has none that reach out.
        wish: Which engine, when it matters.

    Raises:
        UserError: There is no usable network, it is rejected, or the engine that is wanted cannot be had.
    """
    record = choose(folder, info, wish).record
    if record is not None:
        ir_record.check_undamaged(folder, record)
        from image_classifier.inference.engines import openvino

        converted = ir_record.folder_of(folder)
        return openvino.load_engine(converted, info, wish.precision, wish.compact, wish.exclusive)
    tensorflow_start.start()
    from image_classifier.inference.engines import tensorflow
    from image_classifier.inference.engines.execution_mode import execution_mode_of

    return tensorflow.load_engine(folder, info, execution_mode_of(info, tensorflow.has_gpu(), wish.exact), trust)
