"""OpenVINO on CPU: one image per call or a batch, the network only, interleaved inside one process.

    scripts/benchmark serving.openvino_batches [--rounds N] [--seconds S]

EfficientNet-Lite0 in float32, compiled for each size of a batch with one stream per CPU and with one stream, always a
request more than there are streams, so that none waits. Printed: images/s, and the medians of their ratios to a
image per call with one stream per CPU, inside a round. What was kept, and why, stands in docs/decisions/0016.
"""

import itertools
import statistics
from pathlib import Path

import numpy as np
import openvino

from image_classifier import artifacts
from image_classifier.inference.engines.request_pool import RequestPool
from image_classifier.resources.processors import available_processors
from tests.benchmarks.serving import closed_loop, places
from tests.benchmarks.serving.closed_loop import Classify
from tests.benchmarks.serving.markdown import head, line

BATCHES = (1, 2, 4, 8)


def main() -> None:
    """Measure and print."""
    given = closed_loop.arguments(__doc__, rounds=4, seconds=1.5)
    with places.model_and_photographs() as (folder, _):
        streams = sorted({available_processors(), 1}, reverse=True)
        ways = {way: compiled(folder, *way) for way in itertools.product(streams, BATCHES)}
        rates: dict[tuple[int, int], list[float]] = {way: [] for way in ways}
        for number in range(given.rounds):
            for way in list(ways)[:: 1 if number % 2 == 0 else -1]:
                streams_used, batch = way
                seen = closed_loop.closed_loop(ways[way], streams_used + 1, [b""], given.seconds)
                rates[way].append(batch * seen.rate)
    print("\n".join(table(rates)))


def compiled(folder: Path, streams: int, batch: int) -> Classify:
    """Compile the network for so many images a call and return the call, which has noise as its input."""
    core = openvino.Core()
    network = core.read_model(folder / artifacts.OPENVINO_DIR / artifacts.OPENVINO_FILES[0])
    size = artifacts.read_model_info(folder).image_size
    network.reshape([batch, *size, 3])
    wanted = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": available_processors(),
        "NUM_STREAMS": streams,
        "ENABLE_CPU_PINNING": False,
    }
    made = core.compile_model(network, "CPU", wanted)
    requests = [made.create_infer_request() for _ in range(streams + 1)]
    noise = np.random.default_rng(0).integers(0, 256, (batch, *size, 3), np.uint8)
    for request in requests:
        request.get_input_tensor().data[:] = noise
        request.infer()
    pool = RequestPool(requests)

    def call(_: bytes) -> None:
        with pool.taken(1) as (request,):
            request.start_async()
            request.wait()

    return call


def table(rates: dict[tuple[int, int], list[float]]) -> list[str]:
    """Return a line for each way: medians, and in brackets those of the ratios to the first way inside a round."""
    first = next(iter(rates.values()))
    lines = head("streams", "images a call", "images/s")
    for (streams, batch), found in rates.items():
        ratio = statistics.median(rate / other for rate, other in zip(found, first, strict=True))
        lines.append(line(str(streams), str(batch), f"{statistics.median(found):.0f} ({ratio:.2f})"))
    return lines


if __name__ == "__main__":
    main()
