"""Check before loading whether a multi-model server can hold a model: it has an OpenVINO IR and fits into memory."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from image_classifier import artifacts, model_layout
from image_classifier.contract.errors import PlatformError, UserError
from image_classifier.inference import engines
from image_classifier.inference.engines import EngineOptions

# Imported here and not with the first model, so that free memory is measured with OpenVINO's libraries loaded.
from image_classifier.inference.engines import openvino as _openvino  # noqa: F401
from image_classifier.inference.layout import check_layout
from image_classifier.inference.openvino_model import ir_record
from image_classifier.inference.predictor import Predictor
from image_classifier.resources import memory
from image_classifier.resources.processors import available_processors

log = logging.getLogger("image_classifier.serving")

MEGABYTE = 1024 * 1024
BASE_MEGABYTES, CPU_MEGABYTES, FACTOR = 10, 12, 2.6
"""Memory of a model: a constant, an amount per CPU at 224x224 pixels, and a multiple of the size of the IR's files.

Measured as the increase of the peak resident size while a second model was loaded and warmed up in a process, compiled
once by OpenVINO 2026.4, on one and two CPUs: EfficientNet-Lite0 of 12.9 MB 42 and 51 MB, of 17.8 MB 52 and 61 MB,
convolutions of 74 MB 155 and 157 MB, matrices of 74 MB as in transformers 160 and 165 MB. That is 8 MB, at most 9 MB
per CPU, at most 2.1 times the size; a quarter was added as a margin for other networks. EfficientNet-Lite0 in int8, of
3.7 MB, took 37 MB of private memory more than a process without a model on two CPUs; the estimate is 44 MB.
"""
_USUAL_PIXELS = 224 * 224
KEPT_MEGABYTES = 64
"""Kept free for the bodies and images of in-flight requests."""


class NoRoomError(PlatformError):
    """The model does not fit beside the others; after unloading some of them it would."""


def load(
    model_dir: Path,
    precision: str,
    available: Callable[[], int] = memory.available_bytes,
    loaded: Callable[[], Iterable[Path]] = tuple,
) -> Predictor:
    """Load a model folder with OpenVINO and warm it up.

    Args:
        model_dir: A model folder, or a folder that contains one.
        precision: One of `engines.PRECISIONS`.
        available: Returns how many bytes this process may still allocate.
        loaded: Returns the folders of the loaded models.

    Raises:
        NoRoomError: There is not enough memory, but there would be after unloading others.
        UserError: The model can never be served here: it is broken, requires TensorFlow, or exceeds the memory of this
            machine.
    """
    folder = model_layout.root(model_dir)
    check_layout(folder)
    for note in model_layout.notes(model_dir):
        log.info(note)
    _require_ir(folder)
    chosen = engines.choose(folder, artifacts.read_model_info(folder), _options(precision)).precision
    assert chosen is not None
    if chosen.note:
        log.warning(chosen.note)
    _require_memory(folder, precision, available, loaded)
    predictor = Predictor.load(folder, options=_options(precision))
    predictor.warm_up()
    if chosen.reason:
        log.info("%s computes in %s: %s.", folder, predictor.engine.precision, chosen.reason)
    return predictor


def needed_bytes(folder: Path, processors: int, precision: str = "f32") -> int:
    """Estimate the memory of a model on `processors` CPUs, from its image size and the size of the IR that runs.

    `precision` is one of `engines.PRECISIONS`.
    """
    ir_folder = _network(folder, precision)
    files = [ir_folder / name for name in artifacts.OPENVINO_FILES]
    size = sum(path.stat().st_size for path in files if path.is_file())
    height, width = artifacts.read_model_info(folder).image_size
    megabytes = BASE_MEGABYTES + CPU_MEGABYTES * processors * height * width / _USUAL_PIXELS
    return round(megabytes * MEGABYTE + FACTOR * size)


def _options(precision: str) -> EngineOptions:
    return EngineOptions("openvino", precision, single_compilation=True)


def _network(folder: Path, precision: str) -> Path:
    """Return the folder of the IR that runs in a requested precision."""
    try:
        chosen = engines.choose(folder, artifacts.read_model_info(folder), _options(precision)).precision
    except UserError:
        # The folder of a loaded model was changed since; another model's load must not fail on it.
        chosen = None
    return ir_record.folder_of(folder) if chosen is None else chosen.network


def _require_ir(folder: Path) -> None:
    record = ir_record.read_record(folder, artifacts.read_model_info(folder))
    if record is not None and not ir_record.is_stale(folder, record):
        return
    problem = "has no OpenVINO IR" if record is None else "has an OpenVINO IR of a different SavedModel"
    raise UserError(
        f"{folder} {problem}. TensorFlow would have to serve it, and does not free memory when a model is unloaded. "
        "Run scripts/convert-model on the model's archive and upload it again."
    )


def _require_memory(
    folder: Path, precision: str, available: Callable[[], int], loaded: Callable[[], Iterable[Path]]
) -> None:
    needed, free = needed_bytes(folder, available_processors(), precision), available()
    required = needed + KEPT_MEGABYTES * MEGABYTE
    if required > free:
        # The heap may still hold what failed loads have freed.
        memory.trim_heap()
        free = available()
    if required <= free:
        return
    problem = (
        f"Loading {folder} needs about {needed // MEGABYTE} MB, plus {KEPT_MEGABYTES} MB kept free for requests; "
        f"{free // MEGABYTE} MB are available"
    )
    others = [model_layout.root(one) for one in loaded()]
    # The estimates are generous, so a model that is too large by them is too large in any case.
    most = free + sum(needed_bytes(one, available_processors(), precision) for one in others)
    if required > most:
        raise UserError(
            f"{problem}, or about {most // MEGABYTE} MB without the {len(others)} loaded models. Use an instance with "
            "more memory."
        )
    raise NoRoomError(f"{problem}. Unload another model first, or use an instance with more memory.")
