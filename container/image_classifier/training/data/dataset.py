"""Labelled lists of image files, and their split. No image is opened here."""

import hashlib
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from image_classifier.contract.errors import UserError
from image_classifier.training.data.storage import Storage
from image_classifier.training.data.unused_files import UnusedFiles


@dataclass(frozen=True, slots=True)
class Example:
    """One image and the index of its class."""

    path: Path
    label: int
    owner: int | None = None
    """Rank of the only host that has the file; None: every host has it."""


@dataclass(frozen=True)
class Listing:
    """The images of one channel."""

    folder: Path
    class_names: tuple[str, ...]
    examples: tuple[Example, ...]
    other_files: Mapping[str, int] = field(default_factory=dict)
    """Files in class folders that are not images: ending to count."""
    unused: UnusedFiles = field(default_factory=UnusedFiles)
    """Details of the other files on this host, by class."""

    def name(self, example: Example) -> str:
        """Return the image's path below the channel."""
        # As text: pathlib takes seconds to do this for 100,000 images.
        return str(example.path).removeprefix(f"{self.folder}/")

    def subfolders(self, label: int) -> set[str]:
        """Return the names of the sub-folders of a class that hold images, at any depth."""
        paths = (self.name(example).split("/") for example in self.examples if example.label == label)
        return {parts[1] for parts in paths if len(parts) > 2}

    def counts(self) -> dict[str, int]:
        """Return the number of images of each class, in class order."""
        found = Counter(example.label for example in self.examples)
        return {name: found[index] for index, name in enumerate(self.class_names)}


def labels(examples: Sequence[Example]) -> NDArray[np.int64]:
    """Return the class indices of examples, (n,)."""
    return np.array([example.label for example in examples], np.int64)


def split(listing: Listing, ratio: float, seed: int) -> tuple[Listing, Listing]:
    """Split a listing into training and validation, deterministically by names and seed.

    Stratified: of each class's n images, round(n · ratio) but at least one are for validation, and at least
    one is for training.

    Raises:
        UserError: The ratio leaves one side empty, or a class has a single image.
    """
    if not 0 < ratio < 1:
        raise UserError(
            f"validation_split_ratio is {ratio:g} and there is no validation channel, so one side of the split would "
            "be empty. Give a ratio between 0 and 1, such as 0.2, or a validation channel."
        )
    alone = [name for name, count in listing.counts().items() if count < 2]
    if alone:
        raise UserError(
            f"Too few images to split: {', '.join(alone)} has a single one, and training and validation need one "
            "each. Add images, or give a validation channel."
        )
    classes: list[list[Example]] = [[] for _ in listing.class_names]
    for example in listing.examples:
        classes[example.label].append(example)
    training: list[Example] = []
    validation: list[Example] = []
    for label, members in enumerate(classes):
        members.sort(key=listing.name)
        random.Random(f"{seed}/{listing.class_names[label]}").shuffle(members)
        held = min(max(round(len(members) * ratio), 1), len(members) - 1)
        validation += members[:held]
        training += members[held:]
    return _part(listing, training), _part(listing, validation)


def _part(listing: Listing, examples: list[Example]) -> Listing:
    return Listing(listing.folder, listing.class_names, tuple(sorted(examples, key=listing.name)))


def fingerprint(listing: Listing) -> str:
    """Hash the names, labels and sizes of a listing's files; sha256, hexadecimal. No file is read.

    The size of a file that only one host has is left out, since the other hosts do not know it.

    Raises:
        PlatformError: The storage does not return a file's size.
    """
    digest, storage = hashlib.sha256(), Storage()
    for example in sorted(listing.examples, key=listing.name):
        size = storage.size(example.path) if example.owner is None else ""
        line = f"{listing.name(example)}\0{example.label}\0{size}\n"
        # A file's name need not be UTF-8.
        digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()
