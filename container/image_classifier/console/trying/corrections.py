"""Answers that were wrong: the images with their right class, as a folder of class folders that can be trained on.

    HOME/corrections/JOB/CLASS/DIGEST.jpg

A correction of an image of the job's own data is also an edit of its data set's labels, see `label_edits`.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from image_classifier import durable_files
from image_classifier.contract.errors import UserError
from image_classifier.imaging import sniff

FOLDER = "corrections"


def folder_of(home: Path, job: str) -> Path:
    """Return the class folders of a job's corrections; the folder may not exist."""
    return home / FOLDER / job


def check(right_class: str, class_names: Sequence[str]) -> None:
    """Check the class of a correction; "" takes one back.

    Raises:
        UserError: It is not one of `class_names`, or cannot be a folder's name.
    """
    if right_class and right_class not in class_names:
        raise UserError(f"{right_class[:80]!r} is not a class of this model. Choose one of the list.")
    if "/" in right_class or right_class in (".", ".."):
        raise UserError(f"The class {right_class[:80]!r} cannot be the name of a folder, so nothing was kept.")


def record(home: Path, job: str, image: bytes, right_class: str) -> Path:
    """Keep an image under its right class, which was checked, and under no other one; return its file.

    Raises:
        UserError: The bytes are not an image.
        OSError: The disk is full or not writable.
    """
    kind = sniff(image)
    if kind is None:
        raise UserError("The file is not an image that can be trained on. Choose a JPEG, PNG, WebP, BMP or GIF.")
    take_back(home, job, image)
    target = folder_of(home, job) / right_class / f"{_digest(image)}.{kind.lower().replace('jpeg', 'jpg')}"
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    durable_files.write_bytes(target, image)
    return target


def take_back(home: Path, job: str, image: bytes) -> bool:
    """Remove the correction of an image; return whether it had one.

    Raises:
        OSError: The disk is not writable.
    """
    found = list(folder_of(home, job).glob(f"*/{_digest(image)}.*"))
    for path in found:
        path.unlink()
    return bool(found)


def count(home: Path, job: str) -> int:
    """Return how many images of a job have a correction."""
    return sum(1 for _ in folder_of(home, job).glob("*/*.*"))


def _digest(image: bytes) -> str:
    return hashlib.sha256(image).hexdigest()[:32]
