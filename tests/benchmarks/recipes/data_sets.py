"""The data sets of the comparison, each with images that choose nothing."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from image_classifier.class_folders import channel_listing
from image_classifier.class_folders.listing import Example, Listing
from image_classifier.model_hub import packages
from image_classifier.photographs import sample_sets
from image_classifier.training.data import dataset
from image_classifier.training.data.splits import DataSplits

RATIO = 0.2
"""Part of the training images that validate."""
FOLDS = 5
HELD_OUT_FASHION = 2_000
HELD_OUT_DIGITS = 350
RARE = 12


def prepare(data: str, seed: int) -> list[DataSplits]:
    """Fetch a data set and return its splits for a seed: one, or as many as it has folds.

    Raises:
        UserError: Unknown name.
        PlatformError: Its source does not answer.
    """
    return DATA_SETS[data](seed)


def _folds(seed: int) -> list[DataSplits]:
    """Every stamp is in the test channel of one fold."""
    everything = _whole("stamps")
    groups: list[list[Example]] = [[] for _ in range(FOLDS)]
    for label in range(len(everything.class_names)):
        members = _shuffled(everything, label, seed)
        for index, example in enumerate(members):
            groups[index % FOLDS].append(example)
    return [
        _split(_of(everything, [one for other in groups if other is not held for one in other]), _of(everything, held))
        for held in groups
    ]


def _fashion(count: int) -> Callable[[int], list[DataSplits]]:
    def splits(seed: int) -> list[DataSplits]:
        everything = _whole("fashion")
        chosen: list[Example] = []
        held_out: list[Example] = []
        classes = len(everything.class_names)
        for label in range(classes):
            members = _shuffled(everything, label, seed)
            held_out += members[: HELD_OUT_FASHION // classes]
            chosen += members[HELD_OUT_FASHION // classes :][: count // classes]
        return [_split(_of(everything, chosen), _of(everything, held_out))]

    return splits


def _solar(seed: int) -> list[DataSplits]:
    """The parts of the demo; the seed is the job's alone."""
    folder = _fetched("solar")
    training = channel_listing.list_channel(folder / "train", "training")
    return [_split(training, channel_listing.list_channel(folder / "held-out", "test", training.class_names))]


def _digits(seed: int) -> list[DataSplits]:
    """1,797 handwritten digits of 8 x 8 pixels, grey, from scikit-learn's wheel (Alpaydin, Kaynak, 1998).

    As far from photographs as images get: here the whole network must win.
    """
    return _digits_with(seed, None)


def _digits_with_a_rare_class(seed: int) -> list[DataSplits]:
    """The same, the first digit with `RARE` images to train and validate; the same images are held out."""
    return _digits_with(seed, RARE)


def _digits_with(seed: int, most_of_first: int | None) -> list[DataSplits]:
    folder = packages.cache_folder() / "data" / "digits"
    if not folder.is_dir():
        data = load_digits()
        for index, (image, label) in enumerate(zip(data.images, data.target, strict=True)):
            path = folder / str(label) / f"{index:04}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.uint8(image * (255 / 16))).save(path)
    everything = channel_listing.list_channel(folder, "training")
    classes = len(everything.class_names)
    members = [_shuffled(everything, label, seed) for label in range(classes)]
    held = HELD_OUT_DIGITS // classes
    held_out, rest = ([some[:held] for some in members], [some[held:] for some in members])
    rest[0] = rest[0][:most_of_first]
    return [_split(*(_of(everything, [one for some in part for one in some]) for part in (rest, held_out)))]


DATA_SETS: dict[str, Callable[[int], list[DataSplits]]] = {
    "stamps": _folds,
    "fashion-2000": _fashion(2_000),
    "fashion-3840": _fashion(3_840),
    "fashion-10000": _fashion(10_000),
    "digits": _digits,
    "digits-rare": _digits_with_a_rare_class,
    "solar": _solar,
}


def _fetched(name: str) -> Path:
    return sample_sets.fetch(name, packages.cache_folder() / "data" / name)


def _whole(name: str) -> Listing:
    folder = _fetched(name)
    parts = [channel_listing.list_channel(folder / part, "training") for part in sample_sets.PARTS]
    examples = sorted((one for part in parts for one in part.examples), key=lambda one: one.path.name)
    return Listing(folder, parts[0].class_names, tuple(examples))


def _shuffled(listing: Listing, label: int, seed: int) -> list[Example]:
    members = [example for example in listing.examples if example.label == label]
    random.Random(f"{seed}/{label}").shuffle(members)
    return members


def _of(listing: Listing, examples: list[Example]) -> Listing:
    return replace(listing, examples=tuple(examples))


def _split(rest: Listing, held_out: Listing) -> DataSplits:
    training, validation = dataset.split(rest, RATIO, seed=0)
    return DataSplits(training, validation, held_out, validation_given=False)
