"""Decode corrupt images by every version of `imaging` in this process: one outcome, of bounded cost.

    python -m tests.benchmarks.fuzz.decoding [--inputs 20000] [--seed 7]

What the servers under attack show from outside, faster, so that more inputs reach the decoders: each yields pixels or a
rejection, ordinary JPEGs the same as by Pillow alone, the older version of `imaging` the same sentence as the newest,
within the CPU time and the memory that `bounds` allows a request.
"""

import argparse
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from image_classifier import imaging
from image_classifier.contract import imaging_versions
from tests.benchmarks.fuzz import bounds
from tests.benchmarks.fuzz.bounds import Size
from tests.benchmarks.fuzz.cost import Cost
from tests.benchmarks.fuzz.mutants import Mutant, mutants

MAX_PIXELS = 1_000_000
_BOUNDS = bounds.of(MAX_PIXELS)
_SIDES = ((24, 32), (16, 16), (224, 224))
"""Of the target: with reduction, with more of it, and enlarged."""
_METHODS = ("bilinear", "bicubic", "lanczos3", "nearest")


@dataclass
class Outcome:
    """What became of the inputs."""

    counts: Counter[str] = field(default_factory=Counter)
    """By version, way and code: "2 simplejpeg corrupt"."""
    faults: list[str] = field(default_factory=list)
    slowest: float = 0.0
    """CPU seconds of the most expensive input, all versions together."""
    megabytes: float = 0.0
    """By how much the peak of resident memory grew after the first tenth of the inputs."""


def run(count: int, seed: int) -> Outcome:
    """Decode so many mutants, the same for the same seed."""
    found, before = Outcome(), 0.0
    for number, mutant in enumerate(mutants(count, seed)):
        if number == count // 10:
            before = _peak_megabytes()
        size, method = _SIDES[number % len(_SIDES)], _METHODS[number % len(_METHODS)]
        started = time.process_time()
        _decode(found, mutant, size, method)
        seconds = time.process_time() - started
        found.slowest = max(found.slowest, seconds)
        # Decoded by two versions, and a third time by Pillow alone.
        for sentence in _BOUNDS.broken_by(Cost(seconds / 3, 0), Size(len(mutant.content))):
            found.faults.append(f"{mutant.form}, {mutant.damage}: {sentence}")
    found.megabytes = _peak_megabytes() - before
    if found.megabytes > _BOUNDS.megabytes:
        found.faults.append(f"{found.megabytes:.0f} MB of memory; allowed: {_BOUNDS.megabytes:.0f}")
    return found


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _decode(found: Outcome, mutant: Mutant, size: tuple[int, int], method: str) -> None:
    try:
        header = imaging.read_header(mutant.content, MAX_PIXELS)
    except imaging.ImageRejected as rejection:
        found.counts[f"header {rejection.code}"] += 1
        return
    sentences = set()
    for version in imaging_versions.VERSIONS:
        outcome = _attempt(found, mutant, partial(imaging.decode, header, size, method, version))
        way = "simplejpeg" if header.is_ordinary_jpeg else "Pillow"
        found.counts[f"version {version}, {way}: {outcome if isinstance(outcome, str) else 'pixels'}"] += 1
        sentences.add(outcome if isinstance(outcome, str) else "pixels")
        if not isinstance(outcome, str) and outcome.shape != (*size, 3):
            found.faults.append(f"{mutant.form}, {mutant.damage}: pixels of shape {outcome.shape}")
    if len(sentences) > 1:
        found.faults.append(f"{mutant.form}, {mutant.damage}: the versions differ: {sorted(sentences)}")
    if header.is_ordinary_jpeg:
        alone = replace(header, is_ordinary_jpeg=False)
        expected = _attempt(found, mutant, partial(imaging.decode, alone, size, method))
        if not _equal(expected, outcome):
            found.faults.append(f"{mutant.form}, {mutant.damage}: other pixels than Pillow's")


def _attempt(found: Outcome, mutant: Mutant, act: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8] | str:
    try:
        return act()
    except imaging.ImageRejected as rejection:
        return rejection.code
    except Exception as error:  # any other exception is what this looks for
        found.faults.append(f"{mutant.form}, {mutant.damage}: {type(error).__name__}: {error}")
        return type(error).__name__


def _equal(one: NDArray[np.uint8] | str, other: NDArray[np.uint8] | str) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return isinstance(one, str) and isinstance(other, str) and one == other
    return bool(np.array_equal(one, other))


def main() -> int:
    """Decode, print; return the process's exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    found = run(given.inputs, given.seed)
    for name, number in sorted(found.counts.items()):
        print(f"{number:8,}  {name}")
    print(f"{found.slowest:.3f} s of CPU for the most expensive input, {found.megabytes:.0f} MB of memory")
    print("\n".join(found.faults[:100]))
    return int(bool(found.faults))


if __name__ == "__main__":
    sys.exit(main())
