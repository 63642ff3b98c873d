"""One validation image of a job whose answer is known, to compare the answer of an endpoint with."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from image_classifier.cli.predictions.answers import Answer
from image_classifier.cli.predictions.image_files import ImageFile
from image_classifier.contract import csv_cells
from image_classifier.contract.opt_ml import OptMl
from image_classifier.runners import experiment
from image_classifier.runners.experiment import Experiment

_CLOSE = 0.01
"""Difference of a probability that other processors and engines explain."""


@dataclass(frozen=True)
class Known:
    """An image and the job's own answer for it."""

    image: Path
    predicted: str
    probability: float
    """0 to 1."""


def find(folder: Path) -> Known | None:
    """Return the first validation image that lies on this machine; None without one, as with data in S3."""
    predictions = OptMl(folder).output_data_dir / "predictions.csv"
    if not (predictions.is_file() and (folder / experiment.FILE).is_file()):
        return None
    folders = list(_folders(experiment.read(folder / experiment.FILE)))
    with predictions.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            name = csv_cells.text_of(row["file"])
            for place in folders:
                if (place / name).is_file():
                    return Known(place / name, csv_cells.text_of(row["predicted"]), float(row["probability"]))
    return None


def _folders(asked_for: Experiment) -> Iterator[Path]:
    """Yield the folders in which validation images may lie."""
    for address in (asked_for.validation, asked_for.training):
        if address and not experiment.is_s3(address):
            yield Path(address)


def compared(known: Known, raw: dict[str, object]) -> tuple[str, bool]:
    """Return a sentence on an endpoint's answer, and whether it is the job's."""
    ranked = Answer.of(ImageFile(known.image), raw).ranked
    probability, predicted = ranked[0] if ranked else (0.0, "nothing")
    own = f"{known.predicted} {known.probability:.4f}"
    if predicted == known.predicted and abs(probability - known.probability) <= _CLOSE:
        return f"Checked with {known.image}: {predicted} {probability:.4f}; the job measured {own}.", True
    return (
        f"WARNING: for {known.image} the endpoint answers {predicted} {probability:.4f}, but the job measured {own}. "
        "Does the endpoint serve this job's model, and has the image changed?"
    ), False
