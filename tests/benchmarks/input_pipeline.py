"""Pictures a second of the decoding alone, with one and two workers, against the loop that most people write.

    PYTHONPATH=container .venv/bin/python tests/benchmarks/input_pipeline.py [--rounds N] [--seconds S]

The loop is Pillow's: open, draft, turn by EXIF, RGB, resize; one picture after another. Ours is what the feature pass
reads from, `Decoder.in_order`, a thread a CPU: threads that waited for each other's Python lock would not get faster
by a second CPU. Every figure is of a fresh process that is held to one or two CPUs; they take turns in every round.
Printed: a Markdown table of medians, and of ratios inside a round.
"""

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from image_classifier import PROGRAM
from image_classifier.local.photographs import sample_data
from image_classifier.model_hub import packages
from image_classifier.training.dataset import Example
from image_classifier.training.decoding import Decoder, Skipped

SIZE = (224, 224)
KINDS = {
    "solar cells, PNG, 300 x 300": 400,
    "the same as JPEG of 5 KB, 224 x 224": 400,
    "the same as JPEG of a camera, 4000 x 3000, on its side": 24,
}
"""What is decoded, and how many different files."""
WAYS = {"Pillow's loop, 1 CPU": ("loop", 1), "ours, 1 worker": ("ours", 1), "ours, 2 workers": ("ours", 2)}


def bare_loop(paths: Iterable[Path]) -> Iterator[object]:
    """Decode as people do."""
    for path in paths:
        with Image.open(path) as picture:
            picture.draft("RGB", (2 * SIZE[1], 2 * SIZE[0]))
            upright = ImageOps.exif_transpose(picture).convert("RGB")
            yield np.asarray(upright.resize((SIZE[1], SIZE[0]), Image.Resampling.BILINEAR))


def ours(paths: Iterable[Path]) -> Iterator[object]:
    """Decode as the job does.

    Raises:
        RuntimeError: A picture was not decoded.
    """
    for found in Decoder(SIZE, "bilinear").in_order([Example(path, 0) for path in paths]):
        if isinstance(found, Skipped):
            raise RuntimeError(f"{found.path}: {found.reason}")
        yield found


def be_the_reader(folder: Path, decode: Callable[[Iterable[Path]], Iterator[object]], seconds: float) -> None:
    """Read the files of a folder over and over, and print how many a second."""
    files = sorted(folder.iterdir())
    for _ in decode(files[: len(files) // 8]):
        pass  # warm: files in the page cache, plug-ins imported
    count, started = 0, time.perf_counter()
    while (spent := time.perf_counter() - started) < seconds:
        count += sum(1 for _ in decode(files))
    print(json.dumps(count / spent))


def measure(folder: Path, way: str, seconds: float) -> float:
    """Start a fresh process that decodes; return pictures/s."""
    name, processors = WAYS[way]
    allowed = sorted(os.sched_getaffinity(0))[-processors:]
    words = [sys.executable, __file__, "--be", name, "--folder", str(folder), "--seconds", str(seconds)]
    done = subprocess.run(
        words,
        env={**os.environ, "PYTHONPATH": str(PROGRAM)},
        preexec_fn=lambda: os.sched_setaffinity(0, allowed),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return float(json.loads(done.stdout))


def make_pictures(folder: Path) -> dict[str, Path]:
    """Write a folder of pictures of each kind."""
    solar = sample_data.fetch("solar", packages.cache_folder() / "data" / "solar")
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
            with Image.open(original) as picture:
                larger = picture.convert("RGB").resize(size, Image.Resampling.BICUBIC)
            exif = Image.Exif()
            if kind == camera:
                exif[0x0112] = 6
            buffer = io.BytesIO()
            larger.save(buffer, "JPEG", quality=60 if kind == thumbnail else 90, exif=exif)
            (where / f"{number}.jpg").write_bytes(buffer.getvalue())
    return folders


def row(kind: str, runs: list[list[float]]) -> str:
    """Return a row of the table: `runs` has a list of one figure a way for every round."""
    medians = [statistics.median(rates) for rates in zip(*runs, strict=True)]
    loop = statistics.median(one / bare for bare, one, _ in runs)
    second = statistics.median(two / one for _, one, two in runs)
    return f"| {kind} | {' | '.join(f'{rate:,.0f}' for rate in medians)} | {loop:.2f} | {second:.2f} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--be", choices=("loop", "ours"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.be:
        be_the_reader(given.folder, bare_loop if given.be == "loop" else ours, given.seconds)
        return
    print(f"| pictures/s | {' | '.join(WAYS)} | 1 worker / loop | 2 workers / 1 |")
    print(f"|---|{'---|' * (len(WAYS) + 2)}")
    with tempfile.TemporaryDirectory() as scratch:
        for kind, folder in make_pictures(Path(scratch)).items():
            print(row(kind, [[measure(folder, way, given.seconds) for way in WAYS] for _ in range(given.rounds)]))


if __name__ == "__main__":
    main()
