"""Cost of quantization=auto: a head-only job of 3,000 photographs on EfficientNet-Lite0, with and without it.

    scripts/benchmark int8_cost [--images N] [--validation N] [--rounds N] [--largest-ratio X]

Distinct cuts of photographs of solar cells, in a training and a validation channel of which none shows a cell of the
other. Jobs with and without quantisation take turns; the medians of their CPU seconds are compared, those of all their
processes, and of their seconds, which other programs disturb more. Exits with 1 above the largest ratio of CPU seconds,
and prints the line of the last job about its int8 IR, since a job that tries further methods costs more.
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
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from image_classifier import PROGRAM
from image_classifier.contract.opt_ml import OptMl
from image_classifier.model_hub import packages, staging
from image_classifier.photographs import sample_sets

LARGEST_RATIO = 1.2
SETTINGS = {"train_only_top_layer": "True", "epochs": "3", "recipe": "builtin"}
OFF, AUTO = "off", "auto"


@dataclass(frozen=True)
class Job:
    """What a job took."""

    seconds: float
    cpu_seconds: float
    line: str
    """What it said about its int8 IR; empty without one."""


def write_photographs(folder: Path, training: int, validation: int) -> None:
    """Write distinct cuts in class folders of two channels; a fifth of the cells belongs to validation alone."""
    solar = sample_sets.fetch("solar", packages.cache_folder() / "data" / "solar")
    files = sorted(path for path in solar.rglob("*") if path.is_file())
    # Every fifth of the sorted files, so that both parts have the same shares of the classes.
    parts = {"training": [path for index, path in enumerate(files) if index % 5], "validation": files[::5]}
    for channel, count in (("training", training), ("validation", validation)):
        own, draws = parts[channel], np.random.default_rng(0)
        for number in range(count):
            # Spread over all cells, however few cuts there are.
            path = own[number % len(own)] if count > len(own) else own[number * len(own) // count]
            with Image.open(path) as opened:
                image = opened.convert("RGB")
            width, height = image.size
            left, top = draws.integers(0, (width // 5, height // 5))
            cut = image.crop((left, top, left + 4 * width // 5, top + 4 * height // 5))
            target = folder / channel / path.parent.name / f"{number:05}.jpg"
            target.parent.mkdir(parents=True, exist_ok=True)
            cut.save(target, quality=92)


def measure(photographs: Path, quantization: str) -> Job:
    """Run the job; its CPU seconds include those of its child processes."""
    with tempfile.TemporaryDirectory(prefix="int8-cost-") as scratch:
        tree = OptMl(Path(scratch))
        tree.lay_out({**SETTINGS, "quantization": quantization})
        for channel in ("training", "validation"):
            tree.channel_dir(channel).symlink_to(photographs / channel)
        tree.channel_dir("model").mkdir()
        staging.stage("lite0", tree.channel_dir("model") / "lite0.tar.gz")
        environment = {**os.environ, "SAGEMAKER_BASE_DIR": scratch}
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        command = [sys.executable, str(PROGRAM / "train")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        seconds, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        line = next((found for found in done.stdout.splitlines() if found.startswith("int8 IR")), "")
        if done.returncode or (quantization == AUTO) != bool(line):
            raise RuntimeError(f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        return Job(seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, line)


def main(words: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="scripts/benchmark int8_cost", description=__doc__)
    parser.add_argument("--images", type=int, default=2400, help="training images (default: 2400)")
    parser.add_argument("--validation", type=int, default=600, help="validation images (default: 600)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--largest-ratio", type=float, default=LARGEST_RATIO)
    given = parser.parse_args(words)
    found: dict[str, list[Job]] = {OFF: [], AUTO: []}
    with tempfile.TemporaryDirectory(prefix="int8-photographs-") as photographs:
        write_photographs(Path(photographs), given.images, given.validation)
        for number in range(2 * given.rounds):
            quantization = (AUTO, OFF)[number % 2]
            found[quantization].append(measure(Path(photographs), quantization))
            print(f"{quantization}: {found[quantization][-1]}", flush=True)
    whole, bare = (statistics.median(job.seconds for job in found[name]) for name in (AUTO, OFF))
    whole_cpu, bare_cpu = (statistics.median(job.cpu_seconds for job in found[name]) for name in (AUTO, OFF))
    print("| training, validation images | s off | s auto | ratio | CPU s off | CPU s auto | ratio |")
    print("|---|---|---|---|---|---|---|")
    print(
        f"| {given.images:,}, {given.validation:,} | {bare:.1f} | {whole:.1f} | {whole / bare:.3f} "
        f"| {bare_cpu:.1f} | {whole_cpu:.1f} | {whole_cpu / bare_cpu:.3f} |"
    )
    print(found[AUTO][-1].line)
    return int(whole_cpu / bare_cpu > given.largest_ratio)


if __name__ == "__main__":
    sys.exit(main())
