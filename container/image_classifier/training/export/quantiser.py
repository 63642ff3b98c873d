"""The process that quantises a job's network, beside what the job does to it.

It imports NNCF and reads its images while the job exports the SavedModel, quantises the float32 IR while the job
verifies it, and judges the result by the verification's predictions. Mostly it needs one CPU, as the export does.
"""

import functools
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier import artifacts, durable_files, imaging
from image_classifier.artifacts import ModelInfo
from image_classifier.class_folders.listing import Listing
from image_classifier.class_folders.storage import Storage
from image_classifier.evaluation import stratified
from image_classifier.inference.openvino_model import bf16, nncf_network, precision_record, quantisation
from image_classifier.inference.openvino_model.nncf_network import NotQuantised
from image_classifier.inference.openvino_model.precision_record import BF16
from image_classifier.inference.openvino_model.quantisation import QuantisationImages, TimeLimits
from image_classifier.resources.processors import available_processors
from image_classifier.training.export import child_process
from image_classifier.training.export.child_process import Child
from image_classifier.training.stopping import StopSignal
from image_classifier.training.trained import Trained

STATISTICS_IMAGES, GATE_IMAGES = 128, 300
"""Most training and validation images of a job; the command takes more, since it has no job to delay."""
INT8_PASSED = "int8 passed its gate, and CPUs that have bfloat16 instructions have those of int8 too"
"""Why a job then saves the time for bf16; the command judges both."""
_NETWORK, _VERIFIED, _RESULT = "network.json", "verified.json", "result.json"
_FLOAT32, _FEATURES = "float32.npy", "features.npy"
_POLL_SECONDS = 0.05
_SAME_ANSWERS = 1e-4
"""Largest |Δp| up to which training's predictions and features stand for those of the float32 IR."""


class Quantiser:
    """Quantises the float32 IR of a job in a child process, which ends when `opened` is closed."""

    def __init__(self, trained: Trained, opened: ExitStack) -> None:
        self._trained, self._opened = trained, opened
        self._gate = stratified_rows(trained.validation, GATE_IMAGES)
        self._statistics = stratified_rows(trained.training, STATISTICS_IMAGES)
        self._started: _Started | None = None
        self._begun = False

    def end(self) -> None:
        """End the process, which may be writing into the model folder."""
        if self._started:
            self._started.child.end()

    def start(self) -> "_Started":
        """Start the process unless it runs: it reads its images, and waits for the network.

        Raises:
            NotQuantised: The gate takes more validation images.
            OSError: The process cannot be started, or the disk is full.
        """
        quantisation.check_images(len(self._gate))
        if self._started:
            return self._started
        backbone = self._trained.backbone.info
        statistics, gate = self._trained.training.examples, self._trained.validation.examples
        request = {
            "image_size": backbone.image_size,
            "resize_method": backbone.resize_method,
            "imaging_version": backbone.imaging_version,
            "statistics": [str(statistics[row].path) for row in self._statistics],
            "gate": [[str(gate[row].path), gate[row].label] for row in self._gate],
        }
        scratch = tempfile.TemporaryDirectory(prefix="quantising-", ignore_cleanup_errors=True)
        folder = Path(self._opened.enter_context(scratch))
        self._started = _Started(folder, self._opened.enter_context(Child(__name__, folder, request)))
        return self._started

    def begin(self, folder: Path, info: ModelInfo, limits: TimeLimits) -> None:
        """Begin to quantise the float32 IR of a model folder, unless that was done; it need not be verified yet.

        Raises:
            NotQuantised: The gate takes more validation images.
            OSError: The process cannot be started, or the disk is full.
        """
        scratch, arrays = self.start().folder, self._trained.arrays
        if self._begun:
            return
        # In mixed precision the IR is compared with the SavedModel in float32, which says nothing about the features.
        exact = self._trained.precision == "off" and _close(info, "openvino")
        if arrays is not None and arrays.of_head and exact:
            np.save(scratch / _FEATURES, arrays.training[self._statistics])
        network = {
            "folder": str(folder),
            "another_rung": limits.another_rung,
            "whole": limits.whole,
            "fitted": self._trained.is_refitted,
        }
        durable_files.write_json(scratch / _NETWORK, network)
        self._begun = True

    def finish(self, info: ModelInfo, stop: StopSignal) -> Mapping[str, Any]:
        """Judge what was begun, once the float32 IR is verified, and return the entries for the model info.

        Raises:
            ChildFailed: The text is the reason, see `child_process`.
            ChildKilled: The process crashed.
            Interrupted: The job has no time left.
            OSError: The disk is full.
        """
        assert self._begun
        assert self._started
        scratch = self._started.folder
        if (info.extra.get("verification") or {}).get("engine") == "openvino" and _close(info, "verification"):
            np.save(scratch / _FLOAT32, self._trained.expected[self._gate])
        durable_files.write_json(scratch / _VERIFIED, {})
        self._started.child.wait(stop)
        found: Mapping[str, Any] = json.loads((scratch / _RESULT).read_text(encoding="utf-8"))
        return found


@dataclass(frozen=True)
class _Started:
    folder: Path
    """Of the files that the job and the process exchange."""
    child: Child


def stratified_rows(listing: Listing, count: int) -> NDArray[np.int64]:
    """Return at most `count` of a listing's rows on this host, with the shares of the classes; always the same."""
    here = np.array([row for row, example in enumerate(listing.examples) if example.owner in (None, 0)], np.int64)
    order = stratified.by_class(np.array([listing.examples[row].label for row in here], np.int64), 0)
    return here[order[stratified.evenly_spaced(len(here), min(count, len(here)))]]


def _close(info: ModelInfo, phase: str) -> bool:
    """Return whether a phase of the model info, which compared the model with training, found equal predictions."""
    return bool((info.extra.get(phase) or {}).get("largest_difference", 1.0) <= _SAME_ANSWERS)


def _quantise(scratch: Path, request: Mapping[str, Any]) -> None:
    statistics, statistics_rows = _pixels(request["statistics"], request)
    gate, rows = _pixels([path for path, _ in request["gate"]], request)
    labels = np.array([label for _, label in request["gate"]], np.int64)[rows]
    with suppress(NotQuantised):
        # Without NNCF bf16 is judged all the same.
        nncf_network.load()
    _wait_for(scratch / _NETWORK)
    network = json.loads((scratch / _NETWORK).read_text(encoding="utf-8"))
    folder, features = Path(network["folder"]), scratch / _FEATURES
    info = artifacts.read_model_info(folder)

    @functools.cache
    def float32() -> NDArray[np.float32] | None:
        _wait_for(scratch / _VERIFIED)
        known = scratch / _FLOAT32
        return np.load(known)[rows] if known.is_file() else quantisation.float32_answers(folder, info, gate)

    known = np.load(features)[statistics_rows] if features.is_file() else None
    images = QuantisationImages(statistics, gate, labels, float32, known, network["fitted"])
    info = quantisation.with_result(folder, info, images, TimeLimits(network["another_rung"], network["whole"]))
    if precision_record.recorded_int8(info) is None:
        info = bf16.with_result(folder, info, images)
    else:
        info = precision_record.with_reason(info, BF16, INT8_PASSED)
    (scratch / _RESULT).write_text(json.dumps(info.extra[precision_record.KEY]), encoding="utf-8")


def _wait_for(path: Path) -> None:
    """Wait for the job, which ends this process when the file will not come."""
    while not path.is_file():
        time.sleep(_POLL_SECONDS)


def _pixels(paths: Sequence[str], request: Mapping[str, Any]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the pixels of the images that can still be read, and their rows."""
    storage = Storage()
    height, width = request["image_size"]
    method, version = request["resize_method"], request["imaging_version"]
    info = ModelInfo(image_size=(height, width), resize_method=method, imaging_version=version)

    def load(path: str) -> NDArray[np.uint8] | None:
        content = storage.read_if_there(Path(path))
        try:
            return info.load_pixels(content)
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
