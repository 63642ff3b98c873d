"""The cost of 100,000 images before the first training step of a job: time, memory, files opened.

    scripts/benchmark many_images [--rounds N] [--images N ...] [--write]

The job of `train` itself with EfficientNet-Lite0, each time in a fresh process that ends right after its first step: of
the head alone (the first batch of features) and of the whole network. The trees are hard links of one JPEG of 5 KB in
20 classes, half of them with nested folders. Printed: a Markdown table of medians; `--write` keeps it in
docs/reference/scale.md.
"""

import argparse
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from image_classifier import PROGRAM
from image_classifier.contract.opt_ml import OptMl
from image_classifier.model_hub import packages, staging
from image_classifier.resources.processors import available_processors

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "scale.md"
COUNTS = (1_000, 10_000, 100_000)
CLASSES = 20
LINKS = 10_000
"""Hard links to one file; ext4 allows 65,000."""
PARTS = {"the head": "True", "the whole network": "False"}
"""What is trained: the hyperparameter `train_only_top_layer`."""
COLUMNS = (
    "listed and split, s",
    "first step, s",
    "of CPU time, s",
    "peak memory, MB",
    "images opened",
    "fingerprint, s",
)


@dataclass(frozen=True)
class Figures:
    """What one job showed, in seconds since its process began, and in MB."""

    listed: float
    stepped: float
    used: float
    """CPU time until then, of all threads."""
    resident: float
    opened: int
    fingerprint: float
    """Seconds that hashing names and sizes takes, measured apart."""


class Witness:
    """Watches the job of its own process from outside, and ends it after the first step."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._listed = self._fingerprint = 0.0
        self._opened = 0
        sys.addaudithook(self._see)

    def _see(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and str(arguments[0]).endswith(".jpg"):
            self._opened += 1

    def listed(self, found: Any) -> None:
        """Note that the channels are listed and split; the fingerprint's time is left out of what follows."""
        from image_classifier.training.data import dataset

        self._listed = time.monotonic() - self._began
        started = time.monotonic()
        dataset.fingerprint(found.training)
        self._fingerprint = time.monotonic() - started

    def stepped(self) -> None:
        """Print what was seen, and end the process."""
        seconds = time.monotonic() - self._began - self._fingerprint
        used = time.process_time() - self._fingerprint
        resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        figures = [self._listed, seconds, used, resident, self._opened, self._fingerprint]
        print(json.dumps(figures), file=sys.stderr)
        sys.stderr.flush()
        os._exit(0)


def after(function: Callable[..., Any], then: Callable[[Any], object]) -> Callable[..., Any]:
    """Return a function that calls `function`, shows its result to `then`, and returns it."""

    def both(*arguments: Any, **options: Any) -> Any:
        result = function(*arguments, **options)
        then(result)
        return result

    return both


def be_the_job(folder: Path, began: float) -> None:
    """Run the job of `train` on the tree in `folder` up to its first step."""
    from image_classifier import tensorflow_start
    from image_classifier.training import job, stopping
    from image_classifier.training.data import splits

    witness = Witness(began)

    def watch_steps(_: Any) -> None:
        from image_classifier.training.features import feature_rows
        from image_classifier.training.loop import steps

        # What the head is trained on first, and the whole network's first gradients.
        for where, name in ((feature_rows.FeatureRows, "put"), (steps.Steps, "train")):
            setattr(where, name, after(getattr(where, name), lambda _: witness.stepped()))

    splits.read = after(splits.read, witness.listed)
    tensorflow_start.start = after(tensorflow_start.start, watch_steps)
    job.run(OptMl(folder), stopping.StopSignal())


def measure(folder: Path) -> Figures:
    """Start a fresh process on a tree.

    Raises:
        RuntimeError: The job failed before its first step.
    """
    environment = {**os.environ, "PYTHONPATH": str(PROGRAM)}
    words = [sys.executable, __file__, "--job", str(folder), "--began", str(time.monotonic())]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{folder}: {done.stderr[-2000:]}")
    return Figures(*json.loads(done.stderr.splitlines()[-1]))


def make_tree(folder: Path, count: int, backbone: Path) -> None:
    """Make what the platform gives a job: `count` images and a backbone."""
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (12, 12, 3), np.uint8)
    Image.fromarray(noise).resize((224, 224), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=60)
    channels = folder / "input" / "data"
    original = channels
    for index in range(count):
        number = index % CLASSES
        inside = f"part-{index // CLASSES % 10}/deep" if number % 2 else ""
        path = channels / "training" / f"class-{number:02}" / inside / f"image-{index:06}.jpg"
        if index < 10 * CLASSES:
            path.parent.mkdir(parents=True, exist_ok=True)
        if index % LINKS == 0:
            path.write_bytes(buffer.getvalue())
            original = path
        else:
            os.link(original, path)
    (channels / "model").mkdir()
    (channels / "model" / "model.tar.gz").symlink_to(backbone)
    (folder / "input" / "config").mkdir()
    (folder / "checkpoints").mkdir()


def row(part: str, count: int, runs: list[Figures]) -> str:
    """Return a row of the table."""

    def median(name: str) -> float:
        return float(statistics.median(getattr(run, name) for run in runs))

    return (
        f"| {part} | {count:,} | {median('listed'):.1f} | {median('stepped'):.1f} | {median('used'):.1f} | "
        f"{median('resident'):,.0f} | {median('opened'):,.0f} | {median('fingerprint'):.2f} |"
    )


def page(table: str, rounds: int) -> str:
    """Return the page docs/reference/scale.md."""
    load = os.getloadavg()[2]
    return f"""# Many images

What a job costs before its first training step, by the number of its images.
Written by `tests/benchmarks/many_images.py --write`; do not edit.

{table}

Medians of {rounds} fresh process(es) each, on {available_processors()} CPUs at a load average of {load:.1f} over the
last 15 minutes; seconds count from the start of the process. Where the load exceeds the CPUs, other programs took most
of that time, and the CPU time is what the job itself needs. EfficientNet-Lite0, JPEG files of 5 KB in {CLASSES} classes
on a local disk, a fifth held out for validation. The first step of the head is the first batch of features, on CPU with
OpenVINO's conversion. The fingerprint hashes names and sizes, no contents; a job with a folder for checkpoints, as
here, takes it before the first step, others after training.
"""


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, nargs="+", default=COUNTS, metavar="N")
    parser.add_argument("--only", choices=PARTS, help="train this alone")
    parser.add_argument("--write", action="store_true", help=f"keep the table in docs/reference/{PAGE.name}")
    parser.add_argument("--job", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--began", type=float, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.job:
        be_the_job(given.job, given.began)
        return
    cache = packages.cache_folder() / "lite0.tar.gz"
    backbone = cache if cache.is_file() else staging.stage("lite0", cache)
    parts = [given.only] if given.only else list(PARTS)
    runs: dict[tuple[str, int], list[Figures]] = {(part, count): [] for part in parts for count in given.images}
    with tempfile.TemporaryDirectory() as scratch:
        for count in given.images:
            make_tree(Path(scratch) / str(count), count, backbone)
        for _ in range(given.rounds):
            for part, count in runs:
                tree = Path(scratch) / str(count)
                settings = json.dumps({"train_only_top_layer": PARTS[part], "validation_split_ratio": "0.2"})
                (tree / "input" / "config" / "hyperparameters.json").write_text(settings)
                runs[part, count].append(measure(tree))
                print(row(part, count, runs[part, count]), file=sys.stderr, flush=True)
    head = f"| trained | images | {' | '.join(COLUMNS)} |\n|---|---|{'---|' * len(COLUMNS)}"
    table = "\n".join([head, *(row(part, count, found) for (part, count), found in runs.items())])
    print(table)
    if given.write:
        PAGE.write_text(page(table, given.rounds), encoding="utf-8")


if __name__ == "__main__":
    main()
