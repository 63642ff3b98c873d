"""Run the OpenVINO IR of a model folder on CPU, without TensorFlow."""

import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from image_classifier import artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError, first_line
from image_classifier.inference.engines.engine import Outputs
from image_classifier.inference.engines.request_pool import RequestPool
from image_classifier.resources.processors import available_processors

# `import openvino` brings its converter along, 9 MB and more than half of the time; it does without one that is not
# there. Who converts imports it by its own name.
_CONVERTER = "openvino.tools.ovc"
_is_new = _CONVERTER not in sys.modules
if _is_new:
    sys.modules[_CONVERTER] = None  # type: ignore[assignment]
try:
    import openvino
finally:
    if _is_new:
        del sys.modules[_CONVERTER]

_AHEAD = 2
"""Requests beyond the streams: their images wait inside OpenVINO, and no stream waits for Python's lock."""
_DECODING = 2
"""Threads beyond the requests: they decode meanwhile."""
_NICENESS = 10
"""Of OpenVINO's threads: whoever decodes and answers goes before them. All three measured in docs/decisions/0016."""
MAX_GRAPH_BYTES = 256 * 1024**2
"""Of model.xml, which has no weights."""
MAX_BODIES = 100
"""Of loops and branches in model.xml. 3,000 in each other overflow the stack; networks of images have a few."""
_BODY = re.compile(rb"<(?:then_|else_)?body[\s>]")
_Made = TypeVar("_Made")
_ABOUT_ITSELF = ("Exception from ", "Check '", "FrontEnd API failed", "Model wasn't fully converted", "Summary:")


@dataclass(frozen=True)
class Port:
    """One of a network's outputs: its place among them, and how many numbers an image gets there."""

    index: int
    width: int


@dataclass(frozen=True)
class OpenVinoEngine:
    """A network for one image, compiled twice from the same weights, and a few more requests than there are streams.

    On all CPUs for an image that is alone, on one CPU each for images that are not. An image at a time costs
    nothing on CPU, keeps what is in memory the same for any n, and spares a batch its dynamic shape. Measured, with
    what did not help, in docs/decisions/0016.
    """

    pool: RequestPool[Any] = field(repr=False)
    concurrency: int
    """A thread a CPU, and a few so that no CPU waits for one that is between two images."""
    answer: Port
    """Where the probabilities are."""
    pooled: Port | None
    """Where the features are."""
    name: str = "openvino"

    @property
    def outputs(self) -> int:
        """How many probabilities it answers for an image."""
        return self.answer.width

    @property
    def rungs(self) -> tuple[int, ...]:
        """An image that is alone, and as many as there are streams."""
        return (1, self.concurrency)

    def expecting(self) -> AbstractContextManager[None]:
        """Announce images that are being decoded: with company, each of them gets one CPU."""
        return self.pool.expecting()

    def run(self, pixels: NDArray[np.uint8]) -> Outputs:
        """Answer RGB pixels, uint8 (n, height, width, 3).

        Several images go through what is idle, and between them others get their turn.
        """
        ports = [port for port in (self.answer, self.pooled) if port]
        found = [np.empty((len(pixels), port.width), np.float32) for port in ports]
        first = 0
        while first < len(pixels):
            with self.pool.taken(len(pixels) - first) as requests, _awaited(requests):
                for row, request in enumerate(requests, first):
                    request.get_input_tensor().data[0] = pixels[row]
                    request.start_async()
                for row, request in enumerate(requests, first):
                    request.wait()
                    for port, rows in zip(ports, found, strict=True):
                        rows[row] = request.get_output_tensor(port.index).data[0]
            first += len(requests)
        return Outputs(*found)

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities of `run` alone, float32 (n, outputs)."""
        return self.run(pixels).probabilities


@contextlib.contextmanager
def _awaited(requests: list[Any]) -> Iterator[None]:
    try:
        yield
    finally:
        # After a failure others may still be computing, and who gets them next writes into their input.
        for request in requests:
            with contextlib.suppress(RuntimeError):
                request.wait()


def load_engine(
    folder: Path, info: ModelInfo, precision: str = "f32", compact: bool = False, exclusive: bool = False
) -> OpenVinoEngine:
    """Load an IR, the pair of files in `folder`, for images of the recorded size.

    `precision` is "f32" or "bf16": what the network computes in. OpenVINO's own default is bf16 where the CPU has it.
    `compact` leaves out what is only for an image that is alone; where the machine's CPUs are this process's alone
    (`exclusive`), that one's threads keep to a CPU each.

    Raises:
        UserError: It cannot be read, or takes other images than the model info says.
    """
    _check_graph(folder / artifacts.OPENVINO_FILES[0])
    core, processors = openvino.Core(), available_processors()
    try:
        model = core.read_model(*(folder / name for name in artifacts.OPENVINO_FILES))
        answer, pooled = _ports(model)
        _check_shapes(model, answer, info, folder)
        model.reshape([1, *info.image_size, 3])
        configurations = [_configuration(precision, processors, processors)]
        if processors > 1 and not compact:
            # With fewer CPUs than the machine has, others are at work on the first ones, which are those it takes.
            pinned = exclusive and processors == os.cpu_count()
            configurations.append(_configuration(precision, processors, 1, pinned))
        shared, *alone = yielding(lambda: [core.compile_model(model, "CPU", chosen) for chosen in configurations])
    except RuntimeError as error:
        raise UserError(f"The OpenVINO IR in {folder} cannot be loaded: {reason(error)}.") from error
    pool = RequestPool([_request(shared) for _ in range(processors + _AHEAD)], *map(_request, alone))
    widths = [int(output.partial_shape[1].get_length()) for output in shared.outputs]
    return OpenVinoEngine(
        pool,
        processors + _AHEAD + _DECODING,
        Port(answer, widths[answer]),
        None if pooled is None else Port(pooled, widths[pooled]),
    )


def _check_graph(graph: Path) -> None:
    """Reject a graph that would take the process with it: OpenVINO 2026.4 reads bodies in bodies by recursion."""
    try:
        size = graph.stat().st_size
        bodies = len(_BODY.findall(graph.read_bytes())) if size <= MAX_GRAPH_BYTES else 0
    except OSError as error:
        raise UserError(f"The OpenVINO IR in {graph.parent} cannot be loaded: {first_line(error)}.") from error
    if size > MAX_GRAPH_BYTES or bodies > MAX_BODIES:
        raise UserError(
            f"The OpenVINO IR in {graph.parent} is rejected: {graph.name} has {size:,} bytes and {bodies:,} bodies of "
            f"loops and branches; at most {MAX_GRAPH_BYTES:,} and {MAX_BODIES:,} are read. Make it by "
            "scripts/convert-model."
        )


def yielding(make: Callable[[], _Made]) -> _Made:
    """Make something whose threads let others go first; on Linux threads inherit the niceness of who starts them."""

    def lower() -> None:
        with contextlib.suppress(OSError):  # forbidden by some sandbox: then all threads are equal
            os.nice(_NICENESS)

    with ThreadPoolExecutor(1, initializer=lower) as one:
        return one.submit(make).result()


def _request(compiled: Any) -> Any:
    request = compiled.create_infer_request()
    # OpenVINO's binding looks NumPy up at the first use of `data`; two threads doing so at once wait for ever.
    _ = request.get_input_tensor().data
    return request


def reason(error: BaseException) -> str:
    """Return what an OpenVINO error says, without the lines about OpenVINO's own source files."""
    lines = [line.strip().removeprefix("-- ") for line in str(error).splitlines()]
    told = [line for line in lines if line and not line.startswith(_ABOUT_ITSELF)]
    return first_line(ValueError(told[0] if told else str(error)))


def _ports(model: Any) -> tuple[int, int | None]:
    """Find the places of probabilities and features among the outputs, by their names when there are several."""
    named = {name: index for index, output in enumerate(model.outputs) for name in output.get_names()}
    if len(model.outputs) == 1:
        return 0, None
    return named.get(artifacts.PROBABILITIES, 0), named.get(artifacts.FEATURES)


def _check_shapes(model: Any, answer: int, info: ModelInfo, where: Path) -> None:
    given, answered = model.inputs[0], model.outputs[answer].partial_shape
    height, width = info.image_size
    shape = openvino.PartialShape([-1, height, width, 3])
    if given.element_type != openvino.Type.u8 or given.partial_shape != shape or answered.rank != openvino.Dimension(2):
        raise UserError(
            f"The OpenVINO IR in {where} takes {given.element_type.to_string()} {given.partial_shape} and answers "
            f"{answered}; expected u8 {shape}, the image_size of its model info, and [?,classes]. Make it by "
            "scripts/convert-model."
        )


def _configuration(precision: str, processors: int, streams: int, pinned: bool = False) -> dict[str, Any]:
    return {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": processors,
        "NUM_STREAMS": streams,
        # Pinned, two processes would share the first CPUs and leave the others idle. One whose threads wait for each
        # other is quicker pinned: now and then the scheduler puts two of them on one CPU. See docs/decisions/0016.
        "ENABLE_CPU_PINNING": pinned,
    }
