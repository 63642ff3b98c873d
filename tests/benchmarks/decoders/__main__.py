"""Decoders and resizers against Pillow: time, threads, levels, corrupt files, size.

    scripts/benchmark decoders [--rounds N] [--mutants N] [--model MODEL ... --images DIR]

Photographs of 533 x 400 pixels, and of 12 megapixels, as JPEGs of quality 90. Every candidate takes turns with Pillow,
image by image; ms is a thread's CPU time, and a ratio is of two neighbouring measurements, so other programs on the
machine change little. Images/s are of one and of two threads; time in which a thread waited for a CPU does not count,
time in which it waited for Python's lock does. Corrupt files are those of the fuzz run: how many have Pillow's outcome,
how many are decoded that Pillow rejects, the reverse, and how many have other pixels. Printed: two Markdown tables,
`load_pixels` against Pillow alone, and, of the given models on the images of a folder, what version 2 of the pixels
changes in their probabilities: levels that differ, and |Δp| by image.
"""

import argparse
import io
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from image_classifier import imaging
from image_classifier.contract.imaging_versions import VERSIONS
from tests.benchmarks.decoders import candidates, probabilities
from tests.benchmarks.decoders.candidates import DECODERS, RESIZERS, SIDE, Candidate, Pixels
from tests.benchmarks.fuzz.mutants import mutants
from tests.benchmarks.input_pipeline import waited
from tests.benchmarks.serving import benchmark_images, markdown, page

Work = Callable[[Any], Any]
OUTCOMES = ("as Pillow", "decodes what Pillow rejects", "rejects what Pillow decodes", "other pixels")


def turns(ours: Work, theirs: Work, inputs: Sequence[Any], rounds: int) -> tuple[float, float]:
    """Return the median milliseconds of CPU time of `ours`, and the median of its ratios to `theirs`."""
    spent: list[float] = []
    ratios: list[float] = []
    for _ in range(rounds):
        for given in inputs:
            times = []
            for work in (theirs, ours):
                began = time.thread_time()
                work(given)
                times.append(time.thread_time() - began)
            spent.append(times[1])
            ratios.append(times[0] / times[1])
    return statistics.median(spent) * 1000, statistics.median(ratios)


def rate(work: Work, inputs: Sequence[Any], threads: int, seconds: float = 1.5) -> float:
    """Return images/s of a number of threads."""
    rates: list[float] = []

    def loop() -> None:
        began, delayed, count = time.perf_counter(), waited(), 0
        while time.perf_counter() - began < seconds:
            work(inputs[count % len(inputs)])
            count += 1
        rates.append(count / (time.perf_counter() - began - (waited() - delayed)))

    started = [threading.Thread(target=loop) for _ in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    return sum(rates)


def levels(given: Pixels, expected: Pixels) -> tuple[int, float]:
    """Return the largest difference of a level, and the share of levels that differ."""
    apart = np.abs(given.astype(int) - expected)
    return int(apart.max()), float((apart > 0).mean())


def judge_mutants(name: str, count: int) -> None:
    """Decode corrupt JPEGs by a candidate and by Pillow; print the outcomes. In a process of its own: it may crash."""
    candidates.install()
    decoders = {candidate.name: candidate for candidate in DECODERS}
    pillow, other = (decoders[each].make() for each in ("Pillow", name))
    found = dict.fromkeys(OUTCOMES, 0)
    for mutant in mutants(count, seed=0):
        try:
            header = imaging.read_header(mutant.content)
        except imaging.ImageRejected:
            continue
        if header.format != "JPEG" or header.pixels > 4_000_000:
            continue
        expected, given = (_attempt(decode, header.content) for decode in (pillow, other))
        if (expected is None) != (given is None):
            found["decodes what Pillow rejects" if expected is None else "rejects what Pillow decodes"] += 1
        elif expected is None or (expected.shape == given.shape and np.array_equal(expected, given)):
            found["as Pillow"] += 1
        else:
            found["other pixels"] += 1
    print(json.dumps(found))


def _attempt(decode: Callable[[bytes], Pixels], content: bytes) -> Any:
    try:
        return decode(content)
    except Exception:
        return None


def _mutants_cell(candidate: Candidate, count: int) -> str:
    words = [sys.executable, "-m", "tests.benchmarks.decoders", "--judge", candidate.name, "--mutants", str(count)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        return f"ended with {done.returncode}"
    return ", ".join(f"{value:,} {name}" for name, value in json.loads(done.stdout.splitlines()[-1]).items() if value)


def rows(kind: Sequence[Candidate], inputs: Sequence[Any], given: argparse.Namespace) -> list[str]:
    """Return the rows of a table of decoders or resizers."""
    reference, found = kind[0].make(), []
    for candidate in kind:
        try:
            work = candidate.make()
        except (ImportError, OSError, RuntimeError) as error:
            found.append(markdown.line(candidate.name, f"not here: {str(error).splitlines()[0][:60]}", *["-"] * 6))
            continue
        milliseconds, ratio = turns(work, reference, inputs, given.rounds)
        apart = [levels(work(one), reference(one)) for one in inputs]
        outcome = _mutants_cell(candidate, given.mutants) if kind is DECODERS and candidate is not kind[0] else "-"
        cells = (
            f"{milliseconds:.2f}",
            f"{ratio:.2f}",
            *(f"{rate(work, inputs, threads):,.0f}" for threads in (1, 2)),
            f"{max(largest for largest, _ in apart)}, {100 * statistics.mean(share for _, share in apart):.2f} %",
            f"{candidates.size_in_megabytes(candidate):.1f} MB",
            outcome,
        )
        found.append(markdown.line(candidate.name, *cells))
    return found


def whole(name: str, files: Sequence[bytes], rounds: int) -> str:
    """Return a row: `load_pixels` by both versions, against Pillow alone."""

    def alone(data: bytes) -> Pixels:
        image = Image.open(io.BytesIO(data), formats=["JPEG"])
        image.draft(None, (2 * SIDE, 2 * SIDE))
        rgb = image.convert("RGB") if image.mode != "RGB" else image
        across = rgb.resize((SIDE, rgb.height), Image.Resampling.BILINEAR)
        return np.array(across.resize((SIDE, SIDE), Image.Resampling.BILINEAR))

    cells = [name]
    for version in VERSIONS:
        work = partial(imaging.load_pixels, size=(SIDE, SIDE), version=version)
        milliseconds, ratio = turns(work, alone, files, rounds)
        cells += [f"{milliseconds:.2f}", f"{ratio:.2f}"]
    return markdown.line(*cells)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, help="of every candidate over the photographs (default: 20)")
    parser.add_argument("--mutants", type=int, default=4000, help="corrupt files of all formats (default: 4000)")
    parser.add_argument("--model", type=Path, nargs="+", default=[], help="model folders with an OpenVINO network")
    parser.add_argument("--images", type=Path, metavar="DIR", help="their images, in any subfolders")
    parser.add_argument("--most", type=int, default=200, help="images of DIR, evenly spaced (default: 200)")
    parser.add_argument("--judge", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.judge:
        judge_mutants(given.judge, given.mutants)
        return 0
    if given.model and not given.images:
        parser.error("--model needs --images DIR")
    candidates.install()
    with tempfile.TemporaryDirectory(prefix="decoders-") as scratch:
        small = [path.read_bytes() for path in benchmark_images.write_small(Path(scratch) / "small")]
        large = [path.read_bytes() for path in benchmark_images.write_large(Path(scratch) / "large")]
    columns = ("ms", "Pillow's time / this", "images/s", "in 2 threads", "levels", "size", "corrupt files")
    decoded = [np.ascontiguousarray(DECODERS[0].make()(data)) for data in small]
    print(f"{page.machine()}\n")
    print("\n".join([*markdown.head("decoder", *columns), *rows(DECODERS, small, given)]))
    print("\n" + "\n".join([*markdown.head("resizer", *columns), *rows(RESIZERS, decoded, given)]))
    print("\n" + "\n".join(markdown.head("load_pixels", "version 1, ms", "ratio", "version 2, ms", "ratio")))
    print(whole("533 x 400", small, given.rounds))
    print(whole("4000 x 3000", large, max(1, given.rounds // 4)))
    if given.model:
        rows_of_models = [probabilities.row(model, given.images, given.most) for model in given.model]
        print("\n" + "\n".join([*probabilities.HEADER, *rows_of_models]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
