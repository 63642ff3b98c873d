"""A server's answers for images: parsed, compared with the folders of the images, and written as CSV."""

import csv
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image_classifier.cli.predictions.image_files import ImageFile
from image_classifier.cli.predictions.scoring import Answered, Score
from image_classifier.contract import csv_cells
from image_classifier.contract.errors import UserError
from image_classifier.contract.names import on_one_line


@dataclass(frozen=True)
class Answer:
    """A server's answer for an image: the classes by probability, the most probable first."""

    image: ImageFile
    raw: Mapping[str, Any]
    ranked: tuple[tuple[float, str], ...]
    """Probability, 0 to 1, and name; the index for a class without a name."""

    @classmethod
    def of(cls, image: ImageFile, raw: Mapping[str, Any]) -> "Answer":
        """Read an answer in any of the server's JSON formats."""
        probabilities = raw.get("probabilities", [])
        names = raw.get("labels") or [f"class {index}" for index in range(len(probabilities))]
        if len(names) == 2 and len(probabilities) == 1:
            probabilities = [1 - probabilities[0], probabilities[0]]
        return cls(image, raw, tuple(sorted(zip(probabilities, names, strict=False), reverse=True)))

    @property
    def summary(self) -> str:
        """The three most probable classes in words."""
        return "   ".join(f"{on_one_line(name)} {100 * probability:.1f} %" for probability, name in self.ranked[:3])


def score(answers: Iterable[Answer]) -> Score | None:
    """Compare the answers with the classes that the images' folders stand for.

    Images in folders that are not classes of the model do not count; None if no image is left, or if the answers have
    no class names.
    """
    found: list[Answered] = []
    for answer in answers:
        names = {unicodedata.normalize("NFC", name): name for _, name in answer.ranked}
        if answer.image.folder_name in names and answer.raw.get("labels"):
            found.append(Answered(names[answer.image.folder_name], answer.ranked[0][1]))
    return Score(tuple(found)) if found else None


def write_csv(path: Path, answers: Iterable[Answer]) -> None:
    """Write a row for each image: file, label (where its folder is a class), predicted class, probability.

    Raises:
        UserError: The file exists or cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8", errors="backslashreplace", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["file", "label", "predicted", "probability"])
            for answer in answers:
                probability, predicted = answer.ranked[0] if answer.ranked else (0.0, "")
                names = map(csv_cells.cell, (str(answer.image.path), answer.image.folder_name or "", predicted))
                writer.writerow([*names, f"{probability:.6f}"])
    except FileExistsError as error:
        raise UserError(f"--csv {path} exists already. Name a new file.") from error
    except OSError as error:
        raise UserError(f"--csv {path} cannot be written: {error.strerror}. Name a file elsewhere.") from error
