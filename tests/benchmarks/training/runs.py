"""One run of our job and one of the plain loop, each as a process, with the figures from their logs."""

import os
import re
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from image_classifier import PROGRAM, artifacts
from image_classifier.contract.opt_ml import BASE_DIR_VARIABLE
from image_classifier.runners.job_tree import LocalJob, build_tree
from tests.benchmarks.training.watched import Watched, watch

BATCH_SIZE = 32
_PASSES = ("training images", "validation images")
_EPOCH = re.compile(r"^\d+/\d+ - .*val_accuracy: ([0-9.]+)")
_LOADED = re.compile(r"^Backbone: .* loaded in ([0-9.]+) s")


@dataclass(frozen=True)
class Case:
    """What is trained."""

    name: str
    whole: bool
    epochs: int
    learning_rate: float


@dataclass(frozen=True)
class Places:
    """What is trained on: class folders, and the backbone packed (for our job) and unpacked (for the loop)."""

    training: Path
    validation: Path
    archive: Path
    saved_model: Path


@dataclass(frozen=True)
class Figures:
    """What one run measured; seconds count from the process's start."""

    exported: float
    """When the SavedModel was written."""
    seconds: float
    """When the process was gone."""
    training: float
    """Seconds from the first image to the end of the last epoch."""
    epochs: tuple[float, ...]
    """Of every epoch, training and validation."""
    accuracies: tuple[float, ...]
    """On validation images, of every epoch."""
    megabytes: float
    """Largest memory of the process tree until the model was exported."""
    whole_megabytes: float
    """The same until the process was gone."""
    phases: dict[str, float]
    """Seconds of each part, in their order; together they are `seconds`."""

    @property
    def per_epoch(self) -> float:
        """Seconds an epoch, with reading, decoding and tracing."""
        return self.training / len(self.epochs)

    @property
    def later_epochs(self) -> float | None:
        """Median seconds of the epochs after the first, which traces (and, in the loop, decodes)."""
        return statistics.median(self.epochs[1:]) if len(self.epochs) > 1 else None

    @property
    def accuracy(self) -> float:
        """Validation accuracy of the best epoch."""
        return max(self.accuracies)


def our_job(case: Case, places: Places, seed: int, scratch: Path) -> Figures:
    """Run `container/train` on a platform tree below `scratch`."""
    settings = {
        "train_only_top_layer": str(not case.whole),
        "epochs": str(case.epochs),
        "learning_rate": str(case.learning_rate),
        "batch_size": str(BATCH_SIZE),
        "random_seed": str(seed),
    }
    tree = build_tree(LocalJob(places.training, places.archive, scratch, places.validation, None, settings))
    environment = _environment() | {BASE_DIR_VARIABLE: str(tree.base)}
    seen = watch([sys.executable, str(PROGRAM / "train")], environment)
    # The labels are what the job writes next after the SavedModel, and the log has no line between the two.
    return read_job(seen, (tree.model_dir / artifacts.LABELS_FILE).stat().st_mtime - seen.began, case.whole)


def plain_loop(case: Case, places: Places, seed: int, scratch: Path, cache: bool = True) -> Figures:
    """Run the loop that most people write."""
    command = [sys.executable, str(Path(__file__).with_name("plain_loop.py"))]
    command += map(str, (places.training, places.validation, places.saved_model, scratch / "saved"))
    command += ["--epochs", str(case.epochs), "--learning-rate", str(case.learning_rate), "--seed", str(seed)]
    command += ["--batch-size", str(BATCH_SIZE), *["--whole"] * case.whole, *["--no-cache"] * (not cache)]
    return read_loop(watch(command, _environment()))


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "ignore"}


def read_job(seen: Watched, exported: float, whole: bool = False) -> Figures:
    """Read our job's log; `exported` is the second at which the SavedModel was written.

    A job that trains the `whole` network decodes the images in its first epoch, any other before it.
    """
    backbone, found = next((line.seconds, match) for line in seen.lines if (match := _LOADED.match(line.text)))
    load = float(found[1])
    ends = _epochs(seen)
    before_epochs = {} if whole else {name: _last(seen, f"{name.capitalize()}: ") for name in _PASSES}
    phases = _between(
        [
            ("Python, settings, listing, unpacking", seen.lines[0].seconds),
            ("importing TensorFlow", backbone - load),
            ("loading the backbone", backbone),
            *before_epochs.items(),
            ("epochs", ends[-1][0]),
            ("final numbers", _last(seen, "- val_accuracy: ")),
            ("export", exported),
            ("OpenVINO IR", _last(seen, "OpenVINO IR")),
            ("verification", _last(seen, "Bytes signature on ")),
            ("report and exit", seen.seconds),
        ]
    )
    first = max([backbone, *before_epochs.values()])
    return _figures(seen, exported, backbone, first, phases)


def read_loop(seen: Watched) -> Figures:
    """Read the plain loop's log."""
    built, saved = _last(seen, "Built"), _last(seen, "Saved")
    phases = _between(
        [
            ("imports", _last(seen, "Imported")),
            ("listing, loading the backbone", built),
            ("epochs", _epochs(seen)[-1][0]),
            ("export", saved),
            ("exit", seen.seconds),
        ]
    )
    return _figures(seen, saved, built, built, phases)


def _figures(seen: Watched, exported: float, began: float, first_epoch: float, phases: dict[str, float]) -> Figures:
    ends = _epochs(seen)
    starts = [first_epoch, *(end for end, _ in ends[:-1])]
    return Figures(
        exported=exported,
        seconds=seen.seconds,
        training=ends[-1][0] - began,
        epochs=tuple(end - start for (end, _), start in zip(ends, starts, strict=True)),
        accuracies=tuple(accuracy for _, accuracy in ends),
        megabytes=seen.peak_megabytes(exported),
        whole_megabytes=seen.peak_megabytes(),
        phases=phases,
    )


def _epochs(seen: Watched) -> list[tuple[float, float]]:
    return list(_matched(seen))


def _matched(seen: Watched) -> Iterator[tuple[float, float]]:
    for line in seen.lines:
        if found := _EPOCH.match(line.text):
            yield line.seconds, float(found[1])


def _last(seen: Watched, beginning: str) -> float:
    found = [line.seconds for line in seen.lines if line.text.startswith(beginning)]
    if not found:
        raise ValueError(f"The log has no line that begins with {beginning!r}: {[line.text for line in seen.lines]}")
    return found[-1]


def _between(ends: list[tuple[str, float]]) -> dict[str, float]:
    starts = [0.0, *(end for _, end in ends[:-1])]
    return {name: end - start for (name, end), start in zip(ends, starts, strict=True)}
