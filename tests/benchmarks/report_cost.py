"""Cost of a job's report: a head-only job of 3,000 photographs on EfficientNet-Lite0.

    scripts/benchmark report_cost [--images N] [--recipe builtin|auto] [--largest-ratio X]

The photographs are distinct cuts of those of solar cells, so that the report has traits, duplicates and labels to look
for as in any other set. Seconds of job and report are of one run, so that a busy machine slows both: the ratio is that
of the whole job to the job without the report. Exits with 1 above the largest ratio.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from image_classifier import PROGRAM
from image_classifier.cli.photographs import sample_sets
from image_classifier.contract.opt_ml import OptMl
from image_classifier.model_hub import packages, staging

LARGEST_RATIO = 1.15
SETTINGS = {"train_only_top_layer": "True", "epochs": "3"}
_REPORT = re.compile(r"^Report: .*, written in ([0-9.]+) s .*$", re.MULTILINE)


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


def measure(images: int, recipe: str) -> tuple[float, float]:
    """Run the job; return its seconds and those of its report."""
    with tempfile.TemporaryDirectory(prefix="report-cost-") as scratch:
        tree = OptMl(Path(scratch))
        given = {"train_only_top_layer": "True"} if recipe == "auto" else SETTINGS
        tree.lay_out({**given, "recipe": recipe})
        write_photographs(tree.channel_dir("training"), images)
        tree.channel_dir("model").mkdir()
        staging.stage("lite0", tree.channel_dir("model") / "lite0.tar.gz")
        environment = {**os.environ, "SAGEMAKER_BASE_DIR": scratch}
        started = time.monotonic()
        command = [sys.executable, str(PROGRAM / "train")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - started
        found = _REPORT.search(done.stdout)
        if done.returncode or found is None:
            raise RuntimeError(f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        print(found[0], file=sys.stderr)
        return seconds, float(found[1])


def main(words: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="scripts/benchmark report_cost", description=__doc__)
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--recipe", choices=("builtin", "auto"), default="builtin")
    parser.add_argument("--largest-ratio", type=float, default=LARGEST_RATIO)
    given = parser.parse_args(words)
    whole, report = measure(given.images, given.recipe)
    ratio = whole / (whole - report)
    print("| images | recipe | job without its report, s | report, s | ratio |\n|---|---|---|---|---|")
    print(f"| {given.images:,} | {given.recipe} | {whole - report:.1f} | {report:.1f} | {ratio:.3f} |")
    return int(ratio > given.largest_ratio)


if __name__ == "__main__":
    sys.exit(main())
