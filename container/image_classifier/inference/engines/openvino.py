"""Run the OpenVINO IR of a model folder on CPU, without TensorFlow."""

import contextlib
import queue
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from image_classifier import artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError, first_line
from image_classifier.inference.engines import Outputs
from image_classifier.inference.processors import available_processors

_ABOUT_ITSELF = ("Exception from ", "Check '", "FrontEnd API failed", "Model wasn't fully converted", "Summary:")


@dataclass(frozen=True)
class OpenVinoEngine:
    """A compiled network for one picture, and as many requests to it as there are streams.

    A picture at a time costs nothing on CPU, keeps what is in memory the same for any n, and spares a batch its
    dynamic shape. Several pictures go through the requests that are idle.
    """

    outputs: int
    idle: "queue.SimpleQueue[Any]" = field(repr=False)
    """Requests that nobody uses; who finds none waits."""
    concurrency: int
    """As many as there are requests."""
    name: str = "openvino"

    @property
    def rungs(self) -> tuple[int, ...]:
        """One picture, and one for each request."""
        return (1, self.concurrency)

    def run(self, pixels: NDArray[np.uint8]) -> Outputs:
        """Answer RGB pixels, uint8 (n, height, width, 3)."""
        return Outputs(self.probabilities(pixels))

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return probabilities, float32 (n, outputs), of RGB pixels, uint8 (n, height, width, 3)."""
        answers = np.empty((len(pixels), self.outputs), np.float32)
        if not len(pixels):
            return answers
        requests = self._take(len(pixels))
        try:
            for start in range(0, len(pixels), len(requests)):
                rows = range(start, min(start + len(requests), len(pixels)))
                used = list(zip(requests, rows, strict=False))
                for request, row in used:
                    request.get_input_tensor().data[0] = pixels[row]
                    request.start_async()
                for request, row in used:
                    request.wait()
                    answers[row] = request.get_output_tensor().data[0]
        finally:
            for request in requests:
                # After a failure others may still be computing, and who gets them next writes into their input.
                with contextlib.suppress(RuntimeError):
                    request.wait()
                self.idle.put(request)
        return answers

    def _take(self, wanted: int) -> list[Any]:
        found = [self.idle.get()]
        with contextlib.suppress(queue.Empty):
            while len(found) < wanted:
                found.append(self.idle.get_nowait())
        return found


def load_engine(folder: Path, info: ModelInfo, precision: str = "f32") -> OpenVinoEngine:
    """Load an IR, the pair of files in `folder`, for pictures of the recorded size.

    `precision` is "f32" or "bf16": what the network computes in. OpenVINO's own default is bf16 where the CPU has it.

    Raises:
        UserError: It cannot be read, or takes other pictures than the model info says.
    """
    core = openvino.Core()
    try:
        model = core.read_model(*(folder / name for name in artifacts.OPENVINO_FILES))
        _check_shapes(model, info, folder)
        model.reshape([1, *info.image_size, 3])
        compiled = core.compile_model(model, "CPU", _configuration(precision))
    except RuntimeError as error:
        raise UserError(f"The OpenVINO IR in {folder} cannot be loaded: {reason(error)}.") from error
    idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
    count = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
    for _ in range(count):
        request = compiled.create_infer_request()
        # OpenVINO's binding looks NumPy up at the first use of `data`; two threads doing so at once wait for ever.
        _ = request.get_input_tensor().data
        idle.put(request)
    return OpenVinoEngine(int(compiled.output(0).shape[1]), idle, count)


def reason(error: BaseException) -> str:
    """Return what an OpenVINO error says, without the lines about OpenVINO's own source files."""
    lines = [line.strip().removeprefix("-- ") for line in str(error).splitlines()]
    told = [line for line in lines if line and not line.startswith(_ABOUT_ITSELF)]
    return first_line(ValueError(told[0] if told else str(error)))


def _check_shapes(model: Any, info: ModelInfo, where: Path) -> None:
    given, answered = model.inputs[0], model.outputs[0].partial_shape
    height, width = info.image_size
    shape = openvino.PartialShape([-1, height, width, 3])
    if given.element_type != openvino.Type.u8 or given.partial_shape != shape or answered.rank != openvino.Dimension(2):
        raise UserError(
            f"The OpenVINO IR in {where} takes {given.element_type.to_string()} {given.partial_shape} and answers "
            f"{answered}; expected u8 {shape}, the image_size of its model info, and [?,classes]. Make it by "
            "scripts/convert-model."
        )


def _configuration(precision: str) -> dict[str, Any]:
    return {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": available_processors(),
        # A stream a CPU: under load each picture stays on one, and nothing waits for the slowest of several.
        "NUM_STREAMS": available_processors(),
        # Pinned, two processes would share the first CPUs and leave the others idle.
        "ENABLE_CPU_PINNING": False,
    }
