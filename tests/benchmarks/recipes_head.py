"""Time and memory of recipe=auto's convex head: cross-validation and the final fit.

    scripts/benchmark recipes_head [--size IMAGES FEATURES CLASSES ...] [--rounds N] [--in-file]

On synthetic features that are as correlated as those of EfficientNet-Lite0, in a fresh process each: seconds, CPU
seconds, passes over the rows of one fold or of all, and the peak of the resident memory, the features and everything
that was imported included. With `--in-file` the features are in a scratch file; its mapped pages count as memory too,
though the system can take them back. Printed: a Markdown table of medians (memory: the largest).
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from image_classifier import PROGRAM

SIZES = ((3_000, 1_280, 10), (50_000, 1_280, 100))
SEPARATION = 0.2
"""Of the classes: with ten of them about 0.8 of the images are classified correctly."""


def be_the_selection(size: Sequence[int], in_file: bool) -> None:
    """Select once and print the figures."""
    from image_classifier.heads import cross_validation
    from tests.support.feature_rows import FeatureSource

    images, width, classes = size
    features, labels = FeatureSource(width, classes, SEPARATION).draw(images)
    if in_file:
        with tempfile.TemporaryFile() as file:
            file.write(features.data)
            file.flush()
            features = np.memmap(file, np.float32, "r", shape=features.shape)
    passes: list[None] = []
    started, used = time.monotonic(), time.process_time()
    found = cross_validation.select(features, labels, classes, seed=0, check=lambda: passes.append(None))
    figures = {
        "seconds": time.monotonic() - started,
        "cpu": time.process_time() - used,
        "passes": len(passes),
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "strength": found.strength,
        "accuracy": found.score.accuracy,
    }
    print(json.dumps(figures))


def measure(size: Sequence[int], in_file: bool) -> dict[str, float]:
    """Start a fresh process."""
    words = [sys.executable, "-m", "tests.benchmarks.recipes_head", "--be", "--size", *map(str, size)]
    environment = {**os.environ, "PYTHONPATH": str(PROGRAM)}
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [*words, *(["--in-file"] if in_file else [])],
        env=environment,
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return {name: float(figure) for name, figure in json.loads(done.stdout.splitlines()[-1]).items()}


def row(size: Sequence[int], rounds: Sequence[dict[str, float]]) -> str:
    """Return a row of the table."""
    seconds, cpu = (statistics.median(found[name] for found in rounds) for name in ("seconds", "cpu"))
    memory = max(found["memory"] for found in rounds) / 1e6
    found = rounds[0]
    shape = " x ".join(f"{number:,}" for number in size)
    figures = f"{seconds:.1f} | {cpu:.1f} | {found['passes']:.0f} | {memory:,.0f} | {found['strength']:g}"
    return f"| {shape} | {figures} | {found['accuracy']:.3f} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs=3, action="append", metavar=("IMAGES", "FEATURES", "CLASSES"))
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--in-file", action="store_true", help="the features are in a file")
    parser.add_argument("--be", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.be:
        be_the_selection(given.size[0], given.in_file)
        return
    print("| images x features x classes | seconds | CPU s | passes | peak memory, MB | C | accuracy |")
    print("|---|---|---|---|---|---|---|")
    for size in given.size or SIZES:
        print(row(size, [measure(size, given.in_file) for _ in range(given.rounds)]), flush=True)


if __name__ == "__main__":
    main()
