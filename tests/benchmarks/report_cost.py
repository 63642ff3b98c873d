"""Cost of a job's report: a head-only job of 3,000 photographs on EfficientNet-Lite0, with and without one.

    scripts/benchmark report_cost [--images N] [--recipe builtin|auto] [--rounds N] [--largest-ratio X]

The photographs are distinct cuts of those of solar cells, so that the report has traits, duplicates and labels to look
for as in any other set. A part of the report is computed while other processes convert and verify the model, so its own
seconds do not tell its cost: jobs with and without it take turns, and the medians of their seconds are compared, and of
their CPU seconds, which tell more where other programs run. Exits with 1 above the largest ratio of seconds.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tests.benchmarks import job_cost

LARGEST_RATIO = 1.15
SETTINGS = {"train_only_top_layer": "True", "epochs": "3"}


def write_photographs(folder: Path, count: int) -> None:
    """Write `count` distinct cuts of photographs of solar cells, in their class folders."""
    files, draws = job_cost.solar_cells(), np.random.default_rng(0)
    for number in range(count):
        path = files[number % len(files)]
        image = job_cost.cut(path, draws)
        target = folder / path.parent.name / f"{number:05}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        shown = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if number % 2 else image
        shown.save(target, quality=job_cost.QUALITY)


def measure(photographs: Path, recipe: str, report: bool) -> tuple[float, float]:
    """Run the job; return its seconds and its CPU seconds, those of its child processes included."""
    given = {"train_only_top_layer": "True"} if recipe == "auto" else SETTINGS
    done = job_cost.run({**given, "recipe": recipe, "report": str(report)}, {"training": photographs})
    if report != ("\nReport: " in done.log):
        raise RuntimeError(done.log[-2000:])
    return done.seconds, done.cpu_seconds


def main(words: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="scripts/benchmark report_cost", description=__doc__)
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--recipe", choices=("builtin", "auto"), default="builtin")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--largest-ratio", type=float, default=LARGEST_RATIO)
    given = parser.parse_args(words)
    found: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    with tempfile.TemporaryDirectory(prefix="report-photographs-") as photographs:
        write_photographs(Path(photographs), given.images)
        for number in range(2 * given.rounds):
            with_report = number % 2 == 0
            found[with_report].append(measure(Path(photographs), given.recipe, with_report))
    (whole, whole_cpu), (bare, bare_cpu) = (
        [statistics.median(column) for column in zip(*found[report], strict=True)] for report in (True, False)
    )
    print("| images | recipe | s without | s with | ratio | CPU s without | CPU s with | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    print(
        f"| {given.images:,} | {given.recipe} | {bare:.1f} | {whole:.1f} | {whole / bare:.3f} "
        f"| {bare_cpu:.1f} | {whole_cpu:.1f} | {whole_cpu / bare_cpu:.3f} |"
    )
    return int(whole / bare > given.largest_ratio)


if __name__ == "__main__":
    sys.exit(main())
