"""Run the OpenVINO IR of a model folder on CPUs, without TensorFlow."""

import contextlib
import os
import re
from collections import deque
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
from image_classifier.inference.engines import openvino_errors
from image_classifier.inference.engines.engine import Outputs
from image_classifier.inference.engines.request_pool import RequestPool
from image_classifier.resources.optional_imports import hidden
from image_classifier.resources.processors import available_processors

# `import openvino` also imports its converter: 9 MB and more than half of the import time. It tolerates a missing
# converter, and code that converts imports that module by its own name.
with hidden("openvino.tools.ovc"):
    import openvino

_QUEUED_REQUESTS = 2
"""Requests beyond the streams: their images queue inside OpenVINO, so that no stream waits for Python's GIL."""
_DECODING_THREADS = 2
"""Threads beyond the requests, which decode meanwhile."""
_NICENESS = 10
"""Niceness of OpenVINO's threads: decoding and responding take precedence. All three: docs/decisions/0016."""
MAX_GRAPH_BYTES = 256 * 1024**2
"""Limit for model.xml, which holds no weights."""
MAX_BODIES = 100
"""Limit for bodies of loops and branches in model.xml. 3,000 nested ones overflow the stack; image models have few."""
_BODY = re.compile(rb"<(?:then_|else_)?body[\s>]")
_Made = TypeVar("_Made")


@dataclass(frozen=True)
class Port:
    """One output of a network: its index, and its number of values per image."""

    index: int
    width: int


@dataclass(frozen=True)
class OpenVinoEngine:
    """A network of batch size 1, compiled twice from the same weights, with a few more requests than streams.

    Latency mode (all CPUs) for a single image, throughput mode (one stream per CPU) for concurrent ones. On CPUs batch
    size 1 is as fast as larger batches, keeps memory constant for any n and avoids dynamic shapes. Measurements and
    discarded alternatives: docs/decisions/0016.
    """

    pool: RequestPool[Any] = field(repr=False)
    concurrency: int
    """One thread per CPU, and a few more so that no CPU idles while a thread is between two images."""
    answer: Port
    """Output that holds the probabilities."""
    pooled: Port | None
    """Output that holds the features."""
    precision: str = "f32"
    """Precision in which it computes: "f32", "bf16" or "int8"."""
    name: str = "openvino"

    @property
    def outputs(self) -> int:
        """Number of probabilities per image."""
        return self.answer.width

    @property
    def warm_up_sizes(self) -> tuple[int, ...]:
        """A single image for latency mode, and enough images to occupy every stream."""
        return (1, self.concurrency)

    def announce(self) -> AbstractContextManager[None]:
        """Announce images that are being decoded: several concurrent ones take the throughput path."""
        return self.pool.announce()

    def run(self, pixels: NDArray[np.uint8]) -> Outputs:
        """Run RGB pixels, uint8 (n, height, width, 3).

        Several images use the idle requests, each refilled as soon as it is finished, so that no stream idles. While
        other callers wait, the requests are released instead.
        """
        ports = [port for port in (self.answer, self.pooled) if port]
        found = [np.empty((len(pixels), port.width), np.float32) for port in ports]
        rows = iter(range(len(pixels)))
        left = len(pixels)
        while left:
            with self.pool.taken(left) as requests, _awaited(requests):
                running = deque((request, _start(request, pixels, next(rows))) for request in requests)
                while running:
                    request, row = running.popleft()
                    request.wait()
                    left -= 1
                    for port, outputs in zip(ports, found, strict=True):
                        outputs[row] = request.get_output_tensor(port.index).data[0]
                    if left > len(running) and not self.pool.waiting:
                        running.append((request, _start(request, pixels, next(rows))))
        return Outputs(*found)

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return only the probabilities of `run`, float32 (n, outputs)."""
        return self.run(pixels).probabilities


def _start(request: Any, pixels: NDArray[np.uint8], row: int) -> int:
    request.get_input_tensor().data[0] = pixels[row]
    request.start_async()
    return row


@contextlib.contextmanager
def _awaited(requests: list[Any]) -> Iterator[None]:
    try:
        yield
    finally:
        # After a failure the other requests may still be running, and their next user writes into their input.
        for request in requests:
            with contextlib.suppress(RuntimeError):
                request.wait()


def load_engine(
    folder: Path, info: ModelInfo, precision: str = "f32", single_compilation: bool = False, sole_process: bool = False
) -> OpenVinoEngine:
    """Load the IR in `folder` for images of the recorded size.

    Args:
        folder: Folder of the IR's two files.
        info: The model info.
        precision: "f32", "bf16" or "int8", in which the network computes; OpenVINO's own default is bf16 where
            supported. int8 is that of a quantised IR; layers that were not quantised compute in float32, as they did
            when it was judged. Without instructions for bf16 OpenVINO computes in float32, see `precision`.
        single_compilation: Leave out the latency-mode compilation.
        sole_process: No other process computes on these CPUs, so the threads of the latency mode can be pinned.

    Raises:
        UserError: The IR cannot be read, or its input does not match the model info.
    """
    _check_graph(folder / artifacts.OPENVINO_FILES[0])
    core, processors = openvino.Core(), available_processors()
    try:
        model = core.read_model(*(folder / name for name in artifacts.OPENVINO_FILES))
        answer, pooled = _ports(model)
        _check_shapes(model, answer, info, folder)
        model.reshape([1, *info.image_size, 3])
        configurations = [_configuration(precision, processors, processors)]
        if processors > 1 and not single_compilation:
            # With a CPU limit other containers use the first CPUs, which are the ones that OpenVINO pins to.
            pinned = sole_process and processors == os.cpu_count()
            configurations.append(_configuration(precision, processors, 1, pinned))
        throughput, *latency = with_low_priority(
            lambda: [core.compile_model(model, "CPU", chosen) for chosen in configurations]
        )
    except RuntimeError as error:
        raise UserError(f"The OpenVINO IR in {folder} cannot be loaded: {openvino_errors.reason(error)}.") from error
    pool = RequestPool([_request(throughput) for _ in range(processors + _QUEUED_REQUESTS)], *map(_request, latency))
    widths = [int(output.partial_shape[1].get_length()) for output in throughput.outputs]
    return OpenVinoEngine(
        pool,
        processors + _QUEUED_REQUESTS + _DECODING_THREADS,
        Port(answer, widths[answer]),
        None if pooled is None else Port(pooled, widths[pooled]),
        precision if precision == "int8" else throughput.get_property("INFERENCE_PRECISION_HINT").to_string(),
    )


def _check_graph(graph: Path) -> None:
    """Reject a graph that would crash the process: OpenVINO 2026.4 parses nested bodies recursively."""
    try:
        size = graph.stat().st_size
        bodies = len(_BODY.findall(graph.read_bytes())) if size <= MAX_GRAPH_BYTES else 0
    except OSError as error:
        raise UserError(f"The OpenVINO IR in {graph.parent} cannot be loaded: {first_line(error)}.") from error
    if size > MAX_GRAPH_BYTES or bodies > MAX_BODIES:
        raise UserError(
            f"The OpenVINO IR in {graph.parent} is rejected: {graph.name} has {size:,} bytes and {bodies:,} bodies of "
            f"loops and branches; allowed: {MAX_GRAPH_BYTES:,} and {MAX_BODIES:,}. Create it with "
            "scripts/convert-model."
        )


def with_low_priority(make: Callable[[], _Made]) -> _Made:
    """Call `make` such that the threads it starts have low priority: on Linux they inherit their creator's niceness."""

    def lower() -> None:
        with contextlib.suppress(OSError):  # some sandboxes forbid it; then all threads have equal priority
            os.nice(_NICENESS)

    with ThreadPoolExecutor(1, initializer=lower) as one:
        return one.submit(make).result()


def _request(compiled: Any) -> Any:
    request = compiled.create_infer_request()
    # OpenVINO's binding imports NumPy at the first use of `data`; two threads doing so at once deadlock.
    _ = request.get_input_tensor().data
    return request


def _ports(model: Any) -> tuple[int, int | None]:
    """Return the output indices of probabilities and features, found by name when there are several outputs."""
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
            f"The OpenVINO IR in {where} takes {given.element_type.to_string()} {given.partial_shape} and returns "
            f"{answered}; expected u8 {shape}, the image_size of its model info, and [?,classes]. Create it with "
            "scripts/convert-model."
        )


def _configuration(precision: str, processors: int, streams: int, pinned: bool = False) -> dict[str, Any]:
    return {
        "INFERENCE_PRECISION_HINT": "f32" if precision == "int8" else precision,
        "INFERENCE_NUM_THREADS": processors,
        "NUM_STREAMS": streams,
        # Two pinned processes would share the first CPUs and leave the rest idle. For a sole process pinning helps the
        # latency mode, whose threads wait for each other: otherwise the scheduler sometimes puts two of them on one
        # CPU. See docs/decisions/0016.
        "ENABLE_CPU_PINNING": pinned,
    }
