"""Cost of quantization=auto: a head-only job of 3,000 photographs on EfficientNet-Lite0, with and without it.

    scripts/benchmark int8_cost [--images N] [--validation N] [--rounds N] [--largest-ratio X]

Distinct cuts of photographs of solar cells, in a training and a validation channel of which none shows a cell of the
other. Jobs with and without quantisation take turns; the medians of their CPU seconds are compared, those of all their
processes, and of their seconds, which other programs disturb more. Exits with 1 above the largest ratio of CPU seconds,
and prints the line of the last job about its int8 IR, since a job that tries further methods costs more.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.benchmarks import job_cost
from tests.benchmarks.job_cost import Job

LARGEST_RATIO = 1.2
SETTINGS = {"train_only_top_layer": "True", "epochs": "3", "recipe": "builtin"}
OFF, AUTO = "off", "auto"


def write_photographs(folder: Path, training: int, validation: int) -> None:
    """Write distinct cuts in class folders of two channels; a fifth of the cells belongs to validation alone."""
    files = job_cost.solar_cells()
    # Every fifth of the sorted files, so that both parts have the same shares of the classes.
    parts = {"training": [path for index, path in enumerate(files) if index % 5], "validation": files[::5]}
    for channel, count in (("training", training), ("validation", validation)):
        own, draws = parts[channel], np.random.default_rng(0)
        for number in range(count):
            # Spread over all cells, however few cuts there are.
            path = own[number % len(own)] if count > len(own) else own[number * len(own) // count]
            target = folder / channel / path.parent.name / f"{number:05}.jpg"
            target.parent.mkdir(parents=True, exist_ok=True)
            job_cost.cut(path, draws).save(target, quality=job_cost.QUALITY)


def line_of(done: Job) -> str:
    """Return what a job said about its int8 IR; empty without one."""
    return next((line for line in done.log.splitlines() if line.startswith("int8 IR")), "")


def measure(photographs: Path, quantization: str) -> Job:
    """Run the job."""
    channels = {name: photographs / name for name in ("training", "validation")}
    done = job_cost.run({**SETTINGS, "quantization": quantization}, channels)
    if (quantization == AUTO) != bool(line_of(done)):
        raise RuntimeError(done.log[-2000:])
    return done


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
            last = found[quantization][-1]
            print(f"{quantization}: {last.seconds:.1f} s, {last.cpu_seconds:.1f} CPU s; {line_of(last)}", flush=True)
    whole, bare = (statistics.median(job.seconds for job in found[name]) for name in (AUTO, OFF))
    whole_cpu, bare_cpu = (statistics.median(job.cpu_seconds for job in found[name]) for name in (AUTO, OFF))
    print("| training, validation images | s off | s auto | ratio | CPU s off | CPU s auto | ratio |")
    print("|---|---|---|---|---|---|---|")
    print(
        f"| {given.images:,}, {given.validation:,} | {bare:.1f} | {whole:.1f} | {whole / bare:.3f} "
        f"| {bare_cpu:.1f} | {whole_cpu:.1f} | {whole_cpu / bare_cpu:.3f} |"
    )
    print(line_of(found[AUTO][-1]))
    return int(whole_cpu / bare_cpu > given.largest_ratio)


if __name__ == "__main__":
    sys.exit(main())
