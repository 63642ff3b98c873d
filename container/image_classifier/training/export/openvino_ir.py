"""Add the OpenVINO IR to the model folder, so that it can be served without TensorFlow.

A child process converts the network and predicts with it: it needs no TensorFlow, and a crash costs only the IR.
"""

import shutil
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier import artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.inference.openvino_model import conversion, ir_record
from image_classifier.inference.openvino_model.conversion import NotConverted
from image_classifier.inference.openvino_model.ir_record import Record
from image_classifier.resources.processors import available_processors
from image_classifier.training.data.validation_sample import ValidationSample
from image_classifier.training.export import child_process
from image_classifier.training.export.child_process import Child, ChildFailed, ChildKilled
from image_classifier.training.progress import log
from image_classifier.training.stopping import StopSignal

_PREDICTIONS = "predictions.npy"


class IrConversion:
    """A running conversion in a child process, from a network on disk to a verified IR; see `add`.

    `network` is an input of `conversion.write`, `paths` are images to compare on, `scratch` is a folder for its own
    use. The block leaves no process and no partial files behind.
    """

    def __init__(self, folder: Path, network: Path, paths: tuple[Path, ...], scratch: Path) -> None:
        self._folder, self._paths, self._scratch = folder, paths, scratch
        self._partial, self._started = conversion.partial_folder(folder), time.monotonic()
        self._child = self._start(network)

    def _start(self, network: Path) -> Child:
        request = {"folder": str(self._folder), "network": str(network), "paths": [str(path) for path in self._paths]}
        return Child("image_classifier.training.export.openvino_ir", self._scratch, request)

    def __enter__(self) -> "IrConversion":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.end()
        shutil.rmtree(self._partial, ignore_errors=True)

    def add(
        self, info: ModelInfo, sample: ValidationSample, stop: StopSignal, write_graph: Callable[[], Path]
    ) -> ModelInfo:
        """Wait for the conversion, and install the IR in the model folder if it predicts what `sample` expects.

        `write_graph` writes the same network in another format, which is tried when the first one fails. Returns the
        model info with the result, not yet written. The IR is optional: without it, the log and the model info say
        why, and the job continues.

        Raises:
            Interrupted: The job has no time left.
        """
        try:
            record = self._record(sample, stop)
        except (NotConverted, ChildFailed, ChildKilled):
            try:
                self._child = self._start(write_graph())
                record = self._record(sample, stop)
            except (NotConverted, ChildFailed, ChildKilled) as failure:
                reason = str(failure)
                log(f"OpenVINO IR left out: {reason}. TensorFlow serves this model.")
                return ir_record.with_reason(info, reason)
        log(
            f"OpenVINO IR: on {record.images} validation images its probabilities differ from TensorFlow's by at "
            f"most {record.largest_difference:.6f}, {record.other_answers} different predictions, "
            f"{record.close_answers} too close to call; converted in {record.seconds:.1f} s"
        )
        return ir_record.with_record(info, record)

    def _record(self, sample: ValidationSample, stop: StopSignal) -> Record:
        self._child.wait(stop)
        found = np.load(self._scratch / _PREDICTIONS)
        return conversion.install(self._partial, self._folder, sample.expected, found, False, self._started)


def _convert(scratch: Path, request: Mapping[str, Any]) -> None:
    folder = Path(request["folder"])
    info, partial = artifacts.read_model_info(folder), conversion.partial_folder(folder)
    conversion.write(Path(request["network"]), partial)
    engine = conversion.load(partial, info)

    def predict(path: str) -> NDArray[np.float32]:
        return engine.probabilities(info.load_pixels(Path(path).read_bytes())[np.newaxis])

    with ThreadPoolExecutor(available_processors()) as pool:
        np.save(scratch / _PREDICTIONS, np.concatenate(list(pool.map(predict, request["paths"]))))


if __name__ == "__main__":
    sys.exit(child_process.run(_convert, Path(sys.argv[1]), NotConverted))
