"""Scheduling policies: ways to assign images to OpenVINO's streams, interleaved inside one process.

    scripts/benchmark serving.policies [--rounds N] [--seconds S]

EfficientNet-Lite0 in float32 behind a closed loop of threads that decode a photograph and have it classified, without
HTTP. Printed: images/s, p50 and p99, and the medians of their ratios to one stream per CPU, inside a round. What was
kept, and why, stands in docs/decisions/0016.
"""

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openvino

from image_classifier import artifacts, imaging
from image_classifier.inference.engines.openvino import with_low_priority
from image_classifier.inference.engines.request_pool import RequestPool
from image_classifier.resources.processors import available_processors
from tests.benchmarks.serving import closed_loop, places

THREADS = (1, 2, 4, 16)


@dataclass(frozen=True)
class Policy:
    """A way to hand out requests, and how many threads have their turn at once."""

    pool: RequestPool[Any]
    turns: int
    announced: bool
    """Whether an image that is being decoded counts as company."""

    def company(self) -> AbstractContextManager[None]:
        """Announce an image, if this way does."""
        return self.pool.announce() if self.announced else contextlib.nullcontext()


def main() -> None:
    """Measure and print."""
    given = closed_loop.arguments(__doc__, rounds=5, seconds=1.0)
    with places.model_and_photographs() as (folder, photographs):
        size = artifacts.read_model_info(folder).image_size
        closed_loop.compare(
            {name: classifying(policy, size) for name, policy in policies(folder, size).items()},
            THREADS,
            photographs,
            given.rounds,
            given.seconds,
        )


def policies(folder: Path, size: tuple[int, int]) -> dict[str, Policy]:
    """Compile the network with one stream, and with one per CPU; return the ways, the one to compare with first."""
    core, cpus = openvino.Core(), available_processors()
    network = core.read_model(folder / artifacts.OPENVINO_DIR / artifacts.OPENVINO_FILES[0])
    network.reshape([1, *size, 3])

    def requests(streams: int, count: int, last: bool = False, pinned: bool = False) -> list[Any]:
        wanted = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": cpus}

        def compile_network() -> Any:
            chosen = {**wanted, "NUM_STREAMS": streams, "ENABLE_CPU_PINNING": pinned}
            return core.compile_model(network, "CPU", chosen)

        compiled = with_low_priority(compile_network) if last else compile_network()
        made = [compiled.create_infer_request() for _ in range(count)]
        for request in made:
            # OpenVINO's binding looks NumPy up at the first use of `data`; two threads doing so at once wait for ever.
            _ = request.get_input_tensor().data
        return made

    return {
        "one stream per CPU": Policy(RequestPool(requests(cpus, cpus)), cpus, announced=False),
        "one stream": Policy(RequestPool(requests(1, 1)), cpus, announced=False),
        "both, by who computes": Policy(RequestPool(requests(cpus, cpus), requests(1, 1)[0]), cpus, announced=False),
        "both, by who decodes too": Policy(RequestPool(requests(cpus, cpus), requests(1, 1)[0]), cpus, announced=True),
        "and a request ahead": Policy(
            RequestPool(requests(cpus, cpus + 1), requests(1, 1)[0]), cpus + 2, announced=True
        ),
        "and two ahead": Policy(RequestPool(requests(cpus, cpus + 2), requests(1, 1)[0]), cpus + 4, announced=True),
        "two ahead, the network goes last": Policy(
            RequestPool(requests(cpus, cpus + 2, last=True), requests(1, 1, last=True)[0]), cpus + 4, announced=True
        ),
        "and latency mode pinned": Policy(
            RequestPool(requests(cpus, cpus + 2, last=True), requests(1, 1, last=True, pinned=True)[0]),
            cpus + 4,
            announced=True,
        ),
    }


def classifying(policy: Policy, size: tuple[int, int]) -> Callable[[bytes], None]:
    """Return what one photograph goes through."""
    turns = RequestPool(range(policy.turns))

    def classify(photograph: bytes) -> None:
        with turns.taken(1), policy.company():
            pixels = imaging.load_pixels(photograph, size)
            with policy.pool.taken(1) as (request,):
                request.get_input_tensor().data[0] = pixels
                request.start_async()
                request.wait()

    return classify


if __name__ == "__main__":
    main()
