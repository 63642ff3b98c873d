"""Decoding throughput with one and two workers, against the usual input pipeline.

    scripts/benchmark input_pipeline [--rounds N] [--seconds S]

The loop is Pillow's: open, draft, turn by EXIF, RGB, resize; one image after another. Ours is `Decoder`, in as many
threads as CPUs: threads that waited for each other's Python lock would not get faster by a second CPU. How much faster
this machine gets by one at all, two processes of the loop tell. Every figure is of a fresh process that is held to one
or two CPUs; they take turns in every round. Time in which a thread could run and other programs had the CPU does not
count; time in which it waited for a lock does.
Printed: a Markdown table of medians, and of ratios inside a round.
"""

import argparse
import io
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from image_classifier import PROGRAM
from image_classifier.model_hub import packages
from image_classifier.photographs import sample_sets
from image_classifier.resources.processors import available_processors
from image_classifier.training.data.decoding import Decoder

SIZE = (224, 224)
KINDS = {
    "solar cells, PNG, 300 x 300": 400,
    "the same as JPEG of 5 KB, 224 x 224": 400,
    "the same as JPEG of a camera, 4000 x 3000, on its side": 24,
}
"""What is decoded, and how many different files."""
WAYS = {
    "the loop": ("loop", [1]),
    "the loop in 2 processes": ("loop", [1, 1]),
    "ours, 1 worker": ("ours", [1]),
    "ours, 2 workers": ("ours", [2]),
}
"""What decodes, and on how many CPUs each of its processes."""


def with_pillow(path: Path) -> object:
    """Decode as people do."""
    with Image.open(path) as image:
        image.draft("RGB", (2 * SIZE[1], 2 * SIZE[0]))
        upright = ImageOps.exif_transpose(image).convert("RGB")
        return np.asarray(upright.resize((SIZE[1], SIZE[0]), Image.Resampling.BILINEAR))


def be_the_workers(folder: Path, decode: Callable[[Path], object], seconds: float) -> None:
    """Decode the files of a folder over and over, in one thread per CPU, and print how many a second."""
    files = sorted(folder.iterdir())
    for path in files[: len(files) // 8]:
        decode(path)  # warm: files in the page cache, plug-ins imported
    rates: list[float] = []

    def work() -> None:
        started = time.perf_counter()
        for number, path in enumerate(itertools.cycle(files), start=1):
            decode(path)
            if (spent := time.perf_counter() - started) >= seconds:
                rates.append(number / (spent - waited()))
                return

    threads = [threading.Thread(target=work) for _ in range(available_processors())]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(sum(rates)))


def waited() -> float:
    """Return how long this thread could run and got no CPU, in seconds.

    From /proc/PID/task/TID/schedstat, nanoseconds; see the kernel's sched-stats.rst.
    """
    return int(Path(f"/proc/self/task/{threading.get_native_id()}/schedstat").read_text().split()[1]) / 1e9


def measure(folder: Path, way: str, seconds: float) -> float:
    """Start fresh processes that decode, each on CPUs of its own; return images/s of all.

    Raises:
        RuntimeError: One of them failed.
    """
    name, wanted = WAYS[way]
    words = [sys.executable, __file__, "--be", name, "--folder", str(folder), "--seconds", str(seconds)]
    free = sorted(os.sched_getaffinity(0))
    started = []
    for count in wanted:
        held, free = ",".join(map(str, free[:count])), free[count:]
        started.append(
            subprocess.Popen(
                ["taskset", "--cpu-list", held, *words],
                env={**os.environ, "PYTHONPATH": str(PROGRAM)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    rate = 0.0
    for process in started:
        output, errors = process.communicate()
        if process.returncode:
            raise RuntimeError(errors[-2000:])
        rate += float(json.loads(output))
    return rate


def make_images(folder: Path) -> dict[str, Path]:
    """Write a folder of images of each kind."""
    solar = sample_sets.fetch("solar", packages.cache_folder() / "data" / "solar")
    originals = sorted((solar / "train").rglob("*.png"))
    png, thumbnail, camera = KINDS
    folders = {kind: folder / str(number) for number, kind in enumerate(KINDS)}
    for kind, where in folders.items():
        where.mkdir()
        for number, original in enumerate(originals[:: len(originals) // KINDS[kind]][: KINDS[kind]]):
            if kind == png:
                (where / f"{number}.png").write_bytes(original.read_bytes())
                continue
            size = (224, 224) if kind == thumbnail else (4000, 3000)
            with Image.open(original) as image:
                larger = image.convert("RGB").resize(size, Image.Resampling.BICUBIC)
            exif = Image.Exif()
            if kind == camera:
                exif[0x0112] = 6
            buffer = io.BytesIO()
            larger.save(buffer, "JPEG", quality=60 if kind == thumbnail else 90, exif=exif)
            (where / f"{number}.jpg").write_bytes(buffer.getvalue())
    return folders


def row(kind: str, runs: list[dict[str, float]]) -> str:
    """Return a row of the table: `runs` has a figure of each way for every round."""
    pairs = [("ours, 1 worker", "the loop"), ("ours, 2 workers", "ours, 1 worker")]
    pairs.append(("the loop in 2 processes", "the loop"))
    rates = [f"{statistics.median(run[way] for run in runs):,.0f}" for way in WAYS]
    ratios = [f"{statistics.median(run[one] / run[other] for run in runs):.2f}" for one, other in pairs]
    return f"| {kind} | {' | '.join([*rates, *ratios])} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--be", choices=("loop", "ours"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.be:
        be_the_workers(given.folder, with_pillow if given.be == "loop" else Decoder(SIZE, "bilinear"), given.seconds)
        return
    print(f"| images/s | {' | '.join(WAYS)} | 1 worker / loop | 2 workers / 1 | 2 processes / 1 |")
    print(f"|---|{'---|' * (len(WAYS) + 3)}")
    with tempfile.TemporaryDirectory() as scratch:
        for kind, folder in make_images(Path(scratch)).items():
            rounds = [{way: measure(folder, way, given.seconds) for way in WAYS} for _ in range(given.rounds)]
            print(row(kind, rounds), flush=True)


if __name__ == "__main__":
    main()
