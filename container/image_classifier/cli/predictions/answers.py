"""A server's answers for images: parsed, compared with the folders of the images, and written as CSV."""

import csv
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image_classifier import own_files
from image_classifier.cli.predictions.image_files import ImageFile
from image_classifier.cli.predictions.scoring import Answered, Score
from image_classifier.contract import csv_cells
from image_classifier.contract.errors import UserError
from image_classifier.contract.names import listed, on_one_line


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
    def is_wrong(self) -> bool:
        """Whether the image's folder is a class of the model, and another one was predicted."""
        names = [unicodedata.normalize("NFC", name) for _, name in self.ranked]
        return self.image.folder_name in names[1:]

    @property
    def summary(self) -> str:
        """The three most probable classes in words."""
        return "   ".join(f"{on_one_line(name)} {100 * probability:.1f} %" for probability, name in self.ranked[:3])


def uncounted(answers: Sequence[Answer]) -> str | None:
    """Return a sentence about images whose folders are not classes of the model; None if all count.

    A single folder of another name is taken for one of unlabelled images.
    """
    classes = {unicodedata.normalize("NFC", name) for answer in answers for _, name in answer.ranked}
    folders = {answer.image.folder_name for answer in answers} - {None}
    named = [answer for answer in answers if answer.image.folder_name not in {None, *classes}]
    if not named or len(folders) < 2 or not all(answer.raw.get("labels") for answer in named):
        return None
    images = "1 image" if len(named) == 1 else f"{len(named):,} images"
    unknown = listed(sorted({on_one_line(str(answer.image.folder_name)) for answer in named}))
    counted = "Not counted" if len(named) < len(answers) else "No accuracy"
    return (
        f"{counted}: {images} in folders that are not classes of the model: {unknown}. Its classes: "
        f"{listed(sorted(map(on_one_line, classes)))}."
    )


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


def reject_csv(path: Path | None) -> None:
    """Check, before anything is asked, that a table can be written to a path.

    Raises:
        UserError: The file exists, or its folder does not or cannot be written.
    """
    if path is None:
        return
    if path.exists() or path.is_symlink():
        raise UserError(f"--csv {path} exists already. Name a new file.")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise UserError(f"--csv {path}: the folder {folder} does not exist. Make it, or name a file in another one.")
    if reason := own_files.unwritable(path):
        raise UserError(f"--csv {path} cannot be written: {reason}. Name a file in a folder of yours.")


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
