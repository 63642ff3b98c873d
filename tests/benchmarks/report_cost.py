"""Cost of a job's report: a head-only job of 3,000 photographs on EfficientNet-Lite0, with and without one.

    scripts/benchmark report_cost [--images N] [--recipe builtin|auto] [--rounds N] [--largest-ratio X]

The photographs are distinct cuts of those of solar cells, so that the report has traits, duplicates and labels to look
for as in any other set. A part of the report is computed while other processes convert and verify the model, so its own
seconds do not tell its cost: jobs with and without it take turns, and the medians of their seconds are compared, and of
their CPU seconds, which tell more where other programs run. Exits with 1 above the largest ratio of seconds.
"""

import argparse
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
from PIL import Image

from image_classifier import PROGRAM
from image_classifier.contract.opt_ml import OptMl
from image_classifier.model_hub import packages, staging
from image_classifier.photographs import sample_sets

LARGEST_RATIO = 1.15
SETTINGS = {"train_only_top_layer": "True", "epochs": "3"}


def write_photographs(folder: Path, count: int) -> None:
    """Write `count` distinct cuts of photographs of solar cells, in their class folders."""
    solar = sample_sets.fetch("solar", packages.cache_folder() / "data" / "solar")
    files = sorted(path for path in solar.rglob("*") if path.is_file())
    draws = np.random.default_rng(0)
    for number in range(count):
        path = files[number % len(files)]
        with Image.open(path) as opened:
            image = opened.convert("RGB")
        width, height = image.size
        left, top = draws.integers(0, (width // 5, height // 5))
        cut = image.crop((left, top, left + 4 * width // 5, top + 4 * height // 5))
        target = folder / path.parent.name / f"{number:05}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        (cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if number % 2 else cut).save(target, quality=92)


def measure(photographs: Path, recipe: str, report: bool) -> tuple[float, float]:
    """Run the job; return its seconds and its CPU seconds, those of its child processes included."""
    with tempfile.TemporaryDirectory(prefix="report-cost-") as scratch:
        tree = OptMl(Path(scratch))
        given = {"train_only_top_layer": "True"} if recipe == "auto" else SETTINGS
        tree.lay_out({**given, "recipe": recipe, "report": str(report)})
        tree.channel_dir("training").symlink_to(photographs)
        tree.channel_dir("model").mkdir()
        staging.stage("lite0", tree.channel_dir("model") / "lite0.tar.gz")
        environment = {**os.environ, "SAGEMAKER_BASE_DIR": scratch}
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        command = [sys.executable, str(PROGRAM / "train")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        seconds, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode or report != ("\nReport: " in done.stdout):
            raise RuntimeError(f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


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
