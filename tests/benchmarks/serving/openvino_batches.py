"""OpenVINO on CPU: a picture a call, or several of them, the network alone, interleaved inside one process.

    PYTHONPATH=container .venv/bin/python -m tests.benchmarks.serving.openvino_batches [--rounds N] [--seconds S]

EfficientNet-Lite0 in float32, compiled for each size of a batch with a stream a CPU and with one stream, always a
request more than there are streams, so that none waits. Printed: pictures/s, and the medians of their ratios to a
picture a call with a stream a CPU, inside a round. What was kept, and why, stands in docs/decisions/0016.
"""

import argparse
import itertools
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openvino

from image_classifier import artifacts
from image_classifier.inference.processors import available_processors
from tests.benchmarks.serving import pictures, places
from tests.benchmarks.serving.markdown import head, line

BATCHES = (1, 2, 4, 8)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=1.5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="batches-") as scratch:
        folder = places.make_model(Path(scratch), pictures.write_small(Path(scratch) / "small")[0].parent)
        streams = sorted({available_processors(), 1}, reverse=True)
        ways = {way: compiled(folder, *way) for way in itertools.product(streams, BATCHES)}
        rates: dict[tuple[int, int], list[float]] = {way: [] for way in ways}
        for number in range(given.rounds):
            for way in list(ways)[:: 1 if number % 2 == 0 else -1]:
                rates[way].append(way[1] * calls_per_second(ways[way], given.seconds))
    print("\n".join(table(rates)))


def compiled(folder: Path, streams: int, batch: int) -> list[Any]:
    """Compile the network for so many pictures a call and return its requests, with noise as their input."""
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
    return requests


def calls_per_second(requests: Sequence[Any], seconds: float) -> float:
    """Use every request all the time, a thread each."""
    start = time.perf_counter()
    counts = [0] * len(requests)

    def work(number: int) -> None:
        while time.perf_counter() < start + seconds:
            requests[number].start_async()
            requests[number].wait()
            counts[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(requests))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - start)


def table(rates: dict[tuple[int, int], list[float]]) -> list[str]:
    """Return a line for each way: medians, and in brackets those of the ratios to the first way inside a round."""
    first = next(iter(rates.values()))
    lines = head("streams", "pictures a call", "pictures/s")
    for (streams, batch), found in rates.items():
        ratio = statistics.median(rate / other for rate, other in zip(found, first, strict=True))
        lines.append(line(str(streams), str(batch), f"{statistics.median(found):.0f} ({ratio:.2f})"))
    return lines


if __name__ == "__main__":
    main()
