"""Time saved by OpenVINO in the feature pass of a frozen backbone, its conversion included.

    scripts/benchmark feature_pass [--rounds N] [--images N ...] [--bare]

Photographs of solar cells through EfficientNet-Lite0 on CPU, from the loaded backbone to the last feature: tracing,
conversion, comparison, decoding. Every figure is of a fresh process; the engines take turns in every round. Printed: a
Markdown table of medians, seconds and seconds of CPU time, of the ratios inside a round, and of the largest difference
of a feature. The CPU time tells more where other programs run.

With `--bare` the pass is compared with the engine alone instead, both prepared, in turns in one process: threads that
decode, and OpenVINO's own queue of requests; without order, store, progress, stop or unreadable images. A ratio of 1
means that all of this costs nothing.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier import PROGRAM, archives, artifacts
from image_classifier.model_hub import packages, staging
from image_classifier.photographs import sample_sets
from image_classifier.resources.processors import available_processors

ENGINES = ("tensorflow", "openvino")
COUNTS = (250, 1000, 2624)
AHEAD = 64
"""Images that are decoded ahead of the bare engine."""


@dataclass(frozen=True)
class Subject:
    """A backbone, and the images that it sees."""

    backbone: Any
    decoder: Any
    examples: Sequence[Any]


@contextmanager
def subject(count: int) -> Iterator[Subject]:
    """Load EfficientNet-Lite0 and choose photographs."""
    from image_classifier import tensorflow_start

    tensorflow_start.start()
    from image_classifier.class_folders import channel_listing
    from image_classifier.training.data.decoding import Decoder
    from image_classifier.training.model import backbone

    cache = packages.cache_folder()
    solar = sample_sets.fetch("solar", cache / "data" / "solar")
    found = [
        item for part in ("train", "held-out") for item in channel_listing.list_channel(solar / part, part).examples
    ]
    order = np.random.default_rng(0).permutation(len(found))
    examples = [found[order[number % len(order)]] for number in range(count)]
    for example in examples:
        example.path.read_bytes()  # into the page cache, for both engines
    with tempfile.TemporaryDirectory() as scratch:
        folder = archives.materialise(staging.stage("lite0", cache / "lite0.tar.gz"), Path(scratch) / "lite0")
        loaded = backbone.load(folder, trainable=False, trust=False)
        yield Subject(loaded, Decoder(loaded.info.image_size, "bilinear"), examples)


def be_the_pass(engine: str, count: int) -> None:
    """Run the pass and print its seconds, its CPU seconds and the largest difference."""
    with subject(count) as given:
        from image_classifier.training.distributed import cluster
        from image_classifier.training.features import feature_network, feature_pass
        from image_classifier.training.stopping import StopSignal

        feature_network.MIN_IMAGES = 0 if engine == "openvino" else sys.maxsize
        started, used = time.monotonic(), time.process_time()
        network = feature_network.FeatureNetwork(given.backbone, cluster.single_host(), count)
        feature_pass.compute(network, given.decoder, given.examples, "Images", StopSignal())
        figures = [time.monotonic() - started, time.process_time() - used, network.largest_difference or 0.0]
    if network.engine != engine:
        raise RuntimeError(f"{network.engine} computed instead of {engine}")
    print(json.dumps(figures))


def beside_the_bare_engine(count: int, rounds: int) -> None:
    """Print a table of the pass and the engine alone: seconds and CPU seconds of each, in turns, and the ratios."""
    with subject(count) as given:
        from image_classifier.training.distributed import cluster
        from image_classifier.training.features import feature_network, feature_pass
        from image_classifier.training.stopping import StopSignal

        feature_network.MIN_IMAGES = 0
        network = feature_network.FeatureNetwork(given.backbone, cluster.single_host(), count)
        first = given.examples[: feature_pass.BATCH]
        expected = network(np.stack([given.decoder(example.path) for example in first]))
        if network.engine != "openvino":
            raise RuntimeError(f"{network.engine} computes, and it was to be OpenVINO")
        bare = BareEngine(given)
        np.testing.assert_allclose(bare(first), expected, atol=1e-4)
        print("| images | pass, s | bare, s | bare / pass | pass, CPU s | bare, CPU s | bare / pass |")
        print("|---|---|---|---|---|---|---|")
        found = []
        for _ in range(rounds):
            of_pass = timed(
                lambda: feature_pass.compute(network, given.decoder, given.examples, "Images", StopSignal())
            )
            found.append((of_pass, timed(lambda: bare(given.examples))))
    cells = [f"{count:,}"]
    for kind in (0, 1):
        cells += [f"{statistics.median(pair[which][kind] for pair in found):.1f}" for which in (0, 1)]
        cells.append(f"{statistics.median(bare[kind] / ours[kind] for ours, bare in found):.3f}")
    print(f"| {' | '.join(cells)} |")


class BareEngine:
    """OpenVINO's queue of requests on the same network, fed by threads that decode."""

    def __init__(self, given: Subject) -> None:
        """Convert and compile, one stream for each CPU; as the pass, not pinned and of low priority."""
        import openvino

        from image_classifier.inference.engines import pixel_functions
        from image_classifier.inference.engines.openvino import with_low_priority
        from image_classifier.inference.openvino_model import conversion

        self._decoder, self._cpus = given.decoder, available_processors()
        function = given.backbone.feature_function()
        with tempfile.TemporaryDirectory() as scratch:
            graph = Path(scratch) / "graph.pb"
            graph.write_bytes(pixel_functions.serialized(function.get_concrete_function()))
            conversion.write(graph, Path(scratch) / "openvino")
            core = openvino.Core()
            model = core.read_model(*(Path(scratch) / "openvino" / name for name in artifacts.OPENVINO_FILES))
            model.reshape([1, *given.decoder.size, 3])
            streams = {"NUM_STREAMS": self._cpus, "INFERENCE_NUM_THREADS": self._cpus, "ENABLE_CPU_PINNING": False}
            chosen = {**streams, "INFERENCE_PRECISION_HINT": "f32"}
            compiled = with_low_priority(lambda: core.compile_model(model, "CPU", chosen))
            self._queue = openvino.AsyncInferQueue(compiled, 2 * self._cpus)

    def __call__(self, examples: Sequence[Any]) -> NDArray[np.float32]:
        """Return features float32 (n, D)."""
        rows: list[NDArray[np.float32] | None] = [None] * len(examples)

        def keep(request: Any, index: int) -> None:
            rows[index] = request.get_output_tensor(0).data[0].copy()

        self._queue.set_callback(keep)
        with ThreadPoolExecutor(self._cpus) as threads:
            ahead: deque[Future[NDArray[np.uint8]]] = deque()
            for index in range(len(examples) + AHEAD):
                if index < len(examples):
                    ahead.append(threads.submit(self._decoder, examples[index].path))
                if index >= AHEAD and ahead:
                    self._queue.start_async({0: ahead.popleft().result()[None]}, index - AHEAD)
        self._queue.wait_all()
        return np.stack([row for row in rows if row is not None])


def timed(function: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds and CPU seconds of a call."""
    started, used = time.monotonic(), time.process_time()
    function()
    return time.monotonic() - started, time.process_time() - used


def measure(engine: str, count: int) -> list[float]:
    """Start a fresh process."""
    words = [sys.executable, __file__, "--be", engine, "--images", str(count)]
    environment = {**os.environ, "PYTHONPATH": str(PROGRAM)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return [float(figure) for figure in json.loads(done.stdout.splitlines()[-1])]


def row(count: int, rounds: Sequence[dict[str, list[float]]]) -> str:
    """Return a row of the table."""
    cells = [f"{count:,}"]
    for kind in (0, 1):
        for engine in ENGINES:
            cells.append(f"{statistics.median(found[engine][kind] for found in rounds):.1f}")
        cells.append(
            f"{statistics.median(found['tensorflow'][kind] / found['openvino'][kind] for found in rounds):.2f}"
        )
    cells.append(f"{max(found['openvino'][2] for found in rounds):.6f}")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, nargs="+", default=COUNTS, metavar="N")
    parser.add_argument("--bare", action="store_true", help="compare with the engine alone")
    parser.add_argument("--be", choices=ENGINES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.bare:
        beside_the_bare_engine(given.images[-1], given.rounds)
        return
    if given.be:
        be_the_pass(given.be, given.images[0])
        return
    print("| images | TensorFlow, s | OpenVINO, s | ratio | TensorFlow, CPU s | OpenVINO, CPU s | ratio | largest Δ |")
    print("|---|---|---|---|---|---|---|---|")
    for count in given.images:
        print(
            row(count, [{engine: measure(engine, count) for engine in ENGINES} for _ in range(given.rounds)]),
            flush=True,
        )


if __name__ == "__main__":
    main()
