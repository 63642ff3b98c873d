"""Reports in `/opt/ml/output/data`: metrics, history, predictions, skipped images."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier import durable_files, own_files
from image_classifier.class_folders.listing import Listing
from image_classifier.contract import csv_cells
from image_classifier.inference.prediction import Prediction
from image_classifier.training.data.decoding import Skipped
from image_classifier.training.trained import CrossValidated, Table


def write_metrics(folder: Path, metrics: Mapping[str, Any]) -> None:
    """Write `metrics.json`: the final metrics of the log, at full precision."""
    folder.mkdir(parents=True, exist_ok=True)
    durable_files.write_json(folder / "metrics.json", dict(metrics))


def write_history(folder: Path, epochs: Sequence[Mapping[str, float]]) -> None:
    """Write `history.csv`: a row per epoch, a column per metric."""
    names = list(epochs[0]) if epochs else []
    rows = [[index, *(epoch[name] for name in names)] for index, epoch in enumerate(epochs, start=1)]
    _write(folder / "history.csv", ["epoch", *names], rows)


def write_predictions(folder: Path, listing: Listing, probabilities: NDArray[np.float32]) -> None:
    """Write `predictions.csv`: each validation image with its class, the predicted class and its probability."""
    _write_predictions(folder / "predictions.csv", listing, probabilities)


def write_cross_validated(folder: Path, found: CrossValidated) -> None:
    """Write `out_of_fold.csv`: the same of training images, each predicted by a head that was fitted without it."""
    _write_predictions(folder / "out_of_fold.csv", found.listing, found.probabilities)


def _write_predictions(path: Path, listing: Listing, probabilities: NDArray[np.float32]) -> None:
    rows = []
    for example, row in zip(listing.examples, probabilities, strict=True):
        best = Prediction(listing.class_names, row).most_probable(1)
        label = listing.class_names[example.label]
        rows.append([listing.name(example), label, best.labels[0], f"{best.probabilities[0]:.6f}"])
    _write(path, ["file", "label", "predicted", "probability"], rows)


def write_skipped(folder: Path, skipped: Sequence[Skipped]) -> None:
    """Write `skipped.csv`: the unreadable images, and why they are."""
    _write(folder / "skipped.csv", ["file", "reason"], [[str(item.path), item.reason] for item in skipped])


def write_table(folder: Path, table: Table) -> None:
    """Write a further report."""
    _write(folder / table.name, table.header, table.rows)


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Replace a link: its target does not belong to the job.
    own_files.remove_link(path)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([csv_cells.cell(value) for value in row] for row in rows)
