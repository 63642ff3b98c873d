"""From a corrected label to the new held-out score in the console: seconds, memory of the child, size of the file.

    scripts/benchmark relabel [--size IMAGES FEATURES CLASSES ...] [--corrections N]

On synthetic features that are as correlated as those of EfficientNet-Lite0, with a fifth as many held-out images. The
file is written and opened as by a job and the console; "prepared" is what opening the Labels tab begins: the child is
started, reads the features and fits the head on the labels as they were. "First" is the first measurement after it, and
"next" the second one, with other corrections. CPU seconds are the child's. Printed: a Markdown table.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from image_classifier.console.judging import refits, results
from image_classifier.console.judging.corrections import Corrections
from image_classifier.contract import report_files
from image_classifier.evaluation import archive, mistakes, scores
from image_classifier.evaluation.evidence import TRAINING, VALIDATION, Evidence, Split
from image_classifier.evaluation.judgement import Evaluation
from tests.support.feature_rows import FeatureSource

SIZES = ((3_000, 1_280, 10), (30_000, 1_280, 10), (30_000, 1_280, 200))
SEPARATION = 0.2
"""Of the classes: with ten of them about 0.8 of the images are classified correctly."""
STRENGTH = 0.03


@dataclass(frozen=True)
class Figures:
    """What was measured at one size."""

    open_seconds: float
    prepared_seconds: float
    prepared_cpu: float
    first_seconds: float
    next_seconds: float
    next_cpu: float
    memory_bytes: int
    file_bytes: int


def evaluation(size: Sequence[int], wrong: int) -> Evaluation:
    """Return an evaluation whose first training labels are wrong."""
    images, width, classes = size
    features, labels = FeatureSource(width, classes, SEPARATION).draw(images + images // 5)
    names = tuple(f"class {index}" for index in range(classes))

    def split(name: str, rows: slice) -> Split:
        files = tuple(f"{label}/{row}.jpg" for row, label in enumerate(labels[rows]))
        return Split(name, Path("/data") / name, files, labels[rows], features=features[rows])

    training, judged = split(TRAINING, slice(images)), split(VALIDATION, slice(images, None))
    training.labels[:wrong] = (training.labels[:wrong] + 1) % classes
    judged = replace(judged, probabilities=np.eye(classes, dtype=np.float32)[judged.labels])
    evidence = Evidence(names, judged, (training,), strength=STRENGTH)
    return Evaluation(evidence, scores.measure(judged, names), mistakes.find(judged, classes), None)


def measure(size: Sequence[int], corrections: int, folder: Path) -> Figures:
    """Write, open and correct one result."""
    found = evaluation(size, corrections)
    data = results.data_folder(folder)
    data.mkdir(parents=True)
    archive.write(data / report_files.EVIDENCE, found, {})
    training = found.evidence.training
    assert training is not None
    right = {row: int(training.labels[row] - 1) % size[2] for row in range(corrections)}
    started = time.monotonic()
    result = results.open_job(folder)
    opened = time.monotonic() - started
    refitter = refits.Refitter()
    try:
        seconds, cpu = [], []
        started = time.monotonic()
        refitter.prepare(result).join()
        prepared, prepared_cpu = time.monotonic() - started, _cpu(refitter)
        for labels in ({row: right[row] for row in range(corrections // 2)}, right):
            used, started = _cpu(refitter), time.monotonic()
            refitter.measure(result, Corrections(found.evidence.class_names, {TRAINING: labels}))
            seconds.append(time.monotonic() - started)
            cpu.append(_cpu(refitter) - used)
        memory, stored = _memory(refitter), result.file.stat().st_size
        return Figures(opened, prepared, prepared_cpu, seconds[0], seconds[1], cpu[1], memory, stored)
    finally:
        refitter.close()


def _cpu(refitter: refits.Refitter) -> float:
    if refitter.pid is None:
        return 0.0
    fields = Path(f"/proc/{refitter.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(refitter: refits.Refitter) -> int:
    status = Path(f"/proc/{refitter.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def main() -> None:
    """Measure every size and print the table."""
    parser = argparse.ArgumentParser(
        prog="scripts/benchmark relabel", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--size", type=int, nargs=3, action="append", metavar=("IMAGES", "FEATURES", "CLASSES"), help="instead of three"
    )
    parser.add_argument("--corrections", type=int, default=100, metavar="N", help="labels to correct; default 100")
    given = parser.parse_args()
    print("| images | features | classes | open | prepared | its CPU | first | next | CPU of next | memory | file |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for size in given.size or SIZES:
        with tempfile.TemporaryDirectory(prefix="relabel-") as folder:
            found = measure(size, given.corrections, Path(folder) / "job")
        print(
            f"| {size[0]:,} | {size[1]:,} | {size[2]} | {found.open_seconds:.2f} s | "
            f"{found.prepared_seconds:.1f} s | {found.prepared_cpu:.1f} s | {found.first_seconds:.1f} s | "
            f"{found.next_seconds:.1f} s | {found.next_cpu:.1f} s | {found.memory_bytes / 1e6:,.0f} MB | "
            f"{found.file_bytes / 1e6:,.0f} MB |",
            flush=True,
        )


if __name__ == "__main__":
    main()
