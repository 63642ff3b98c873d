"""Whether a model folder can be one of many: it has an OpenVINO IR, and there is memory for it. Said before loading."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from image_classifier import artifacts, model_layout
from image_classifier.contract.errors import PlatformError, UserError
from image_classifier.inference.engines import EngineOptions

# Not with the first model, so that what is free is measured with OpenVINO's libraries in memory.
from image_classifier.inference.engines import openvino as _openvino  # noqa: F401
from image_classifier.inference.layout import check_layout
from image_classifier.inference.openvino_model import ir_record
from image_classifier.inference.predictor import Predictor
from image_classifier.resources import memory
from image_classifier.resources.processors import available_processors

log = logging.getLogger("image_classifier.serving")

MEGABYTE = 1024 * 1024
BASE_MEGABYTES, CPU_MEGABYTES, FACTOR = 10, 12, 2.6
"""What a model takes: so much, so much a CPU at 224x224 pixels, and so many times the size of the IR's files.

Measured as the highest resident size while a model was loaded and warmed up that OpenVINO 2026.4 compiled once, less
the size before, in a process that held one already, on one and on two CPUs: EfficientNet-Lite0 of 12.9 MB 42 and 51 MB,
of 17.8 MB 52 and 61 MB, convolutions of 74 MB 155 and 157 MB, matrices of 74 MB as in transformers 160 and 165 MB. So
8 MB, at most 9 MB a CPU, at most 2.1 times the size; a quarter was added for other networks.
"""
_USUAL_PIXELS = 224 * 224
KEPT_MEGABYTES = 64
"""What stays free for the bodies and images of the requests that are being answered."""


class NoRoomError(PlatformError):
    """A model cannot be held here beside the others; without some of them it can."""


def load(
    given: Path,
    precision: str,
    available: Callable[[], int] = memory.available_bytes,
    held: Callable[[], Iterable[Path]] = tuple,
) -> Predictor:
    """Load a model folder with OpenVINO and warm it up.

    Args:
        given: A model folder, or one with a folder around everything.
        precision: One of `engines.PRECISIONS`.
        available: Tells how many bytes this process may still take.
        held: Tells the folders of the models that could be unloaded.

    Raises:
        NoRoomError: There is not enough memory, and there would be without the models that are `held`.
        UserError: The folder is no model that can be served here, whatever is unloaded: it is broken, TensorFlow would
            have to serve it, or it is larger than this machine allows.
    """
    folder = model_layout.root(given)
    check_layout(folder)
    for note in model_layout.notes(given):
        log.info(note)
    _require_representation(folder)
    _require_memory(folder, available, held)
    predictor = Predictor.load(folder, options=EngineOptions("openvino", precision, single_compilation=True))
    predictor.warm_up()
    return predictor


def needed_bytes(folder: Path, processors: int) -> int:
    """Estimate what a model folder takes on so many CPUs, by its images' size and that of its IR."""
    representation = ir_record.folder_of(folder)
    files = [representation / name for name in artifacts.OPENVINO_FILES]
    size = sum(path.stat().st_size for path in files if path.is_file())
    height, width = artifacts.read_model_info(folder).image_size
    megabytes = BASE_MEGABYTES + CPU_MEGABYTES * processors * height * width / _USUAL_PIXELS
    return round(megabytes * MEGABYTE + FACTOR * size)


def _require_representation(folder: Path) -> None:
    record = ir_record.read_record(folder, artifacts.read_model_info(folder))
    if record is not None and not ir_record.is_stale(folder, record):
        return
    lack = "has no OpenVINO IR" if record is None else "has an OpenVINO IR of another SavedModel than the one beside it"
    raise UserError(
        f"{folder} {lack}. TensorFlow would have to serve it, and does not give memory back when a model is unloaded, "
        "so it is not loaded beside others. Run scripts/convert-model on the model's archive and upload it again."
    )


def _require_memory(folder: Path, available: Callable[[], int], held: Callable[[], Iterable[Path]]) -> None:
    needed, found = needed_bytes(folder, available_processors()), available()
    if needed + KEPT_MEGABYTES * MEGABYTE > found:
        # What failed loads have left counts as this process's until it is given back.
        memory.trim_heap()
        found = available()
    wanted = needed + KEPT_MEGABYTES * MEGABYTE
    if wanted <= found:
        return
    said = (
        f"Loading {folder} needs about {needed // MEGABYTE} MB, {KEPT_MEGABYTES} MB stay free for requests, and "
        f"{found // MEGABYTE} MB are left"
    )
    others = [model_layout.root(one) for one in held()]
    # The estimates are generous, so what is too large by them is too large in any case.
    most = found + sum(needed_bytes(one, available_processors()) for one in others)
    if wanted > most:
        raise UserError(
            f"{said}, or about {most // MEGABYTE} MB without the {len(others)} models that are loaded. Take an "
            "instance with more memory."
        )
    raise NoRoomError(f"{said}. Unload another model first, or take an instance with more memory.")
