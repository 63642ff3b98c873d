"""Time saved by OpenVINO in the feature pass of a frozen backbone, its conversion included.

    scripts/benchmark feature_pass [--rounds N] [--images N ...]

Photographs of solar cells through EfficientNet-Lite0 on CPU, from the loaded backbone to the last feature: tracing,
conversion, comparison, decoding. Every figure is of a fresh process; the engines take turns in every round. Printed: a
Markdown table of medians, seconds and seconds of CPU time, of the ratios inside a round, and of the largest difference
of a feature. The CPU time tells more where other programs run.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from image_classifier import PROGRAM, archives
from image_classifier.model_hub import packages, staging
from image_classifier.photographs import sample_sets

ENGINES = ("tensorflow", "openvino")
COUNTS = (250, 1000, 2624)


def be_the_pass(engine: str, count: int) -> None:
    """Run the pass and print its seconds, its CPU seconds and the largest difference."""
    from image_classifier import tensorflow_start

    tensorflow_start.start()
    from image_classifier.class_folders import channel_listing
    from image_classifier.training.data.decoding import Decoder
    from image_classifier.training.distributed import cluster
    from image_classifier.training.features import feature_network, feature_pass
    from image_classifier.training.model import backbone
    from image_classifier.training.stopping import StopSignal

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
        feature_network.MIN_IMAGES = 0 if engine == "openvino" else sys.maxsize
        started, used = time.monotonic(), time.process_time()
        network = feature_network.FeatureNetwork(loaded, cluster.single_host(), count)
        decoder = Decoder(loaded.info.image_size, "bilinear")
        feature_pass.compute(network, decoder, examples, "Images", StopSignal())
        figures = [time.monotonic() - started, time.process_time() - used, network.largest_difference or 0.0]
    if network.engine != engine:
        raise RuntimeError(f"{network.engine} computed instead of {engine}")
    print(json.dumps(figures))


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
    parser.add_argument("--be", choices=ENGINES, help=argparse.SUPPRESS)
    given = parser.parse_args()
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
