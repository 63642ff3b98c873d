"""Labels, split and fingerprint of listed images. No image is opened here."""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from image_classifier.class_folders.listing import Example, Listing
from image_classifier.class_folders.storage import Storage
from image_classifier.contract.errors import UserError


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


def given_parts(listing: Listing) -> dict[str, Listing]:
    """Return the parts into which a manifest splits a listing, by name; the whole as `training` without any."""
    splits = {example.split or "training" for example in listing.examples}
    if splits <= {"training"}:
        return {"training": listing}
    return {
        name: replace(listing, examples=tuple(one for one in listing.examples if (one.split or "training") == name))
        for name in sorted(splits)
    }


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
