"""Add an int8 IR beside the float32 one, and judge bf16, each if it passes its gate: quantization=auto.

A child process quantises with training images and judges on validation images: it needs no TensorFlow, can be ended at
any time, and a crash costs only the int8 IR.
"""

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from image_classifier import artifacts, imaging
from image_classifier.artifacts import ModelInfo
from image_classifier.class_folders.listing import Listing
from image_classifier.class_folders.storage import Storage
from image_classifier.contract.errors import first_line
from image_classifier.evaluation import stratified
from image_classifier.inference.openvino_model import bf16, precision_gate, precision_record, quantisation
from image_classifier.inference.openvino_model.nncf_network import NotQuantised
from image_classifier.inference.openvino_model.precision_record import BF16, INT8, PRECISIONS, Quantised
from image_classifier.inference.openvino_model.quantisation import QuantisationImages, TimeLimits
from image_classifier.resources.processors import available_processors
from image_classifier.training import stopping
from image_classifier.training.export import child_process
from image_classifier.training.export.child_process import Child, ChildFailed, ChildKilled, Interrupted
from image_classifier.training.progress import log
from image_classifier.training.stopping import StopSignal

if TYPE_CHECKING:
    from image_classifier.training.fine_tuning import Trained

OFF = "off"
SHARE = 0.2
"""Part of the job's time so far that further methods may take; the first one is always tried."""
STATISTICS_IMAGES, GATE_IMAGES = 128, 300
"""Most training and validation images of a job; the command takes more, since it has no job to delay."""
LEAST_SECONDS = 30.0
"""Time left before max_runtime below which quantisation does not begin."""
_INT8_PASSED = "int8 passed its gate, and CPUs that have bfloat16 instructions have those of int8 too"
"""Why a job then saves the time for bf16; the command judges both."""
_NOT_YET = "the job was stopped before it"
_RESULT, _FLOAT32, _FEATURES = "result.json", "float32.npy", "features.npy"
_SAME_ANSWERS = 1e-4
"""Largest |Δp| of the verification up to which training's predictions stand for those of the float32 IR."""


def add(folder: Path, trained: "Trained", stop: StopSignal) -> bool:
    """Quantise the float32 IR of a verified model folder, and write the result into its model info.

    Lower precisions are optional: without them, the log and the model info say why, and the job continues. Returns
    False when the job had no time left for them, which the caller logs.
    """
    info, in_time = artifacts.read_model_info(folder), True
    try:
        with tempfile.TemporaryDirectory(prefix="quantising-") as scratch:
            info = _with_entries(info, _entries(folder, info, trained, Path(scratch), stop))
    except Interrupted:
        info, in_time = _left_out(info, f"{_NOT_YET}: {stop.reason}"), False
    except (NotQuantised, ChildFailed, ChildKilled) as failure:
        info = _left_out(info, str(failure))
    except Exception as error:  # whatever fails in it, the job has its model
        info = _left_out(info, f"{type(error).__name__}: {first_line(error)}".rstrip("."))
    finally:
        shutil.rmtree(quantisation.partial_folder(folder), ignore_errors=True)
    artifacts.write_model_info(folder, info)
    if in_time:
        log(_line(folder, info))
        if reason := _bf16_reason(folder, info):
            log(reason)
    return in_time


def _line(folder: Path, info: ModelInfo) -> str:
    found = precision_record.read_int8(folder, info)
    if found is None:
        reason = precision_record.left_out(info, INT8)
        return f"int8 IR left out: {reason}. The float32 IR serves this model."
    return (
        f"int8 IR: {precision_gate.sentence(found.gate)}; {found.steps[-1]} with {found.statistics_images} training "
        f"images{_refitted(found)} in {found.seconds:.1f} s"
    )


def _refitted(found: Quantised) -> str:
    return f", last layer refitted on {found.head_images}" if found.head_images else ""


def _bf16_reason(folder: Path, info: ModelInfo) -> str | None:
    """Return the line about bf16; None where the one about int8 says it already."""
    found, reason = precision_record.read_bf16(folder, info), precision_record.left_out(info, BF16)
    if found is not None:
        return f"bf16: {precision_gate.sentence(found.gate)}"
    return None if reason == precision_record.left_out(info, INT8) else f"bf16 left out: {reason}."


def _left_out(info: ModelInfo, reason: str) -> ModelInfo:
    for precision in PRECISIONS:
        info = precision_record.with_reason(info, precision, reason)
    return info


def _with_entries(info: ModelInfo, entries: Mapping[str, Any]) -> ModelInfo:
    known = dict(info.extra.get(precision_record.KEY) or {})
    return replace(info, extra={**info.extra, precision_record.KEY: {**known, **entries}})


def _entries(folder: Path, info: ModelInfo, trained: "Trained", scratch: Path, stop: StopSignal) -> Mapping[str, Any]:
    """Return the entries of the model info that the child process wrote."""
    if stop.out_of_time():
        raise Interrupted(stop.reason)
    if not info.extra.get("verified"):
        raise NotQuantised("the model is not verified")
    rows = stratified_rows(trained.validation, GATE_IMAGES)
    quantisation.check_images(len(rows))
    left = stop.training_seconds()
    if left < LEAST_SECONDS:
        raise NotQuantised(f"{max(left, 0):.0f} s are left of max_runtime, and it takes at least {LEAST_SECONDS:g} s")
    so_far = time.monotonic() - stopping.process_start()
    statistics, gate = trained.training.examples, trained.validation.examples
    chosen = stratified_rows(trained.training, STATISTICS_IMAGES)
    request = {
        "folder": str(folder),
        "statistics": [str(statistics[row].path) for row in chosen],
        "gate": [[str(gate[row].path), gate[row].label] for row in rows],
        "another_rung": SHARE * so_far,
        # JSON has no infinity. The report, which comes after it, gets the other half.
        "whole": min(left / 2, child_process.LONGEST_SECONDS),
    }
    if _verified_by_the_ir(info):
        np.save(scratch / _FLOAT32, trained.expected[rows])
        if trained.arrays is not None and trained.arrays.of_head:
            np.save(scratch / _FEATURES, trained.arrays.training[chosen])
    with Child("image_classifier.training.export.int8_ir", scratch, request) as child:
        child.wait(stop)
    found: Mapping[str, Any] = json.loads((scratch / _RESULT).read_text(encoding="utf-8"))
    return found


def stratified_rows(listing: Listing, count: int) -> NDArray[np.int64]:
    """Return at most `count` of a listing's rows on this host, with the shares of the classes; always the same."""
    here = np.array([row for row, example in enumerate(listing.examples) if example.owner in (None, 0)], np.int64)
    order = stratified.by_class(np.array([listing.examples[row].label for row in here], np.int64), 0)
    return here[order[stratified.evenly_spaced(len(here), min(count, len(here)))]]


def _verified_by_the_ir(info: ModelInfo) -> bool:
    """Return whether the verification served the float32 IR and found training's predictions, up to rounding."""
    found = info.extra.get("verification") or {}
    return found.get("engine") == "openvino" and found.get("largest_difference", 1.0) <= _SAME_ANSWERS


def _quantise(scratch: Path, request: Mapping[str, Any]) -> None:
    folder = Path(request["folder"])
    info = artifacts.read_model_info(folder)
    statistics, rows = _pixels(request["statistics"], info)
    features = np.load(scratch / _FEATURES)[rows] if (scratch / _FEATURES).is_file() else None
    gate, rows = _pixels([path for path, _ in request["gate"]], info)
    labels = np.array([label for _, label in request["gate"]], np.int64)[rows]
    known = scratch / _FLOAT32
    float32 = np.load(known)[rows] if known.is_file() else quantisation.float32_answers(folder, info, gate)
    images = QuantisationImages(statistics, gate, labels, float32, features)
    limits = TimeLimits(request["another_rung"], request["whole"])
    info = quantisation.with_result(folder, info, images, limits)
    if precision_record.recorded_int8(info) is None:
        info = bf16.with_result(folder, info, images)
    else:
        info = precision_record.with_reason(info, BF16, _INT8_PASSED)
    (scratch / _RESULT).write_text(json.dumps(info.extra[precision_record.KEY]), encoding="utf-8")


def _pixels(paths: Sequence[str], info: ModelInfo) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the pixels of the images that can still be read, and their rows."""
    storage = Storage()

    def load(path: str) -> NDArray[np.uint8] | None:
        content, version = storage.read_if_there(Path(path)), info.imaging_version
        try:
            return imaging.load_pixels(content, info.image_size, info.resize_method, version=version)
        except imaging.ImageRejected:
            return None

    with ThreadPoolExecutor(available_processors()) as pool:
        found = list(pool.map(load, paths))
    rows = np.array([row for row, pixels in enumerate(found) if pixels is not None], np.int64)
    if not len(rows):
        raise NotQuantised("none of the images for it could be read again")
    return np.stack([pixels for pixels in found if pixels is not None]), rows


if __name__ == "__main__":
    sys.exit(child_process.run(_quantise, Path(sys.argv[1]), NotQuantised))
