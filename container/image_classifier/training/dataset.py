"""From folders of pictures to named, labelled, split lists of files. No picture is opened here."""

import hashlib
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from image_classifier.contract.errors import UserError
from image_classifier.imaging import EXTENSIONS


@dataclass(frozen=True)
class Example:
    """One picture and the index of its class."""

    path: Path
    label: int


@dataclass(frozen=True)
class Listing:
    """What one channel holds."""

    folder: Path
    class_names: tuple[str, ...]
    examples: tuple[Example, ...]
    other_files: Mapping[str, int] = field(default_factory=dict)
    """Files that are not listed because of their extension: extension to count."""

    def name(self, example: Example) -> str:
        """Return the picture's path below the channel."""
        return example.path.relative_to(self.folder).as_posix()

    def counts(self) -> dict[str, int]:
        """Return the number of pictures of each class, in class order."""
        found = Counter(example.label for example in self.examples)
        return {name: found[index] for index, name in enumerate(self.class_names)}


def list_channel(folder: Path, channel: str, class_names: Sequence[str] | None = None) -> Listing:
    """List a channel: one folder a class, nested folders walked, hidden names ignored.

    Class order is Python's `sorted()` of the folder names. With `class_names` (those of the training channel)
    the folders must be among them; classes without pictures are then allowed.

    Raises:
        UserError: The channel is missing or empty, has fewer than two classes, a class has no picture, a class is
            not one of `class_names`, or a link leads out of the channel.
    """
    names = _class_folders(folder, channel)
    if class_names is not None and not set(names) <= set(class_names):
        unknown = ", ".join(sorted(set(names) - set(class_names)))
        raise UserError(
            f"The {channel} channel has classes that the training channel lacks: {unknown}. "
            f"Its folders must be among: {', '.join(class_names)}."
        )
    order = tuple(names if class_names is None else class_names)
    examples: list[Example] = []
    other: Counter[str] = Counter()
    for name in names:
        for path in _files(folder / name, folder, channel):
            if path.suffix.lower() in EXTENSIONS:
                examples.append(Example(path, order.index(name)))
            else:
                other[path.suffix.lower() or "no extension"] += 1
    listing = Listing(folder, order, tuple(examples), dict(other))
    _refuse_unusable(listing, channel, required=names)
    return listing


def _class_folders(folder: Path, channel: str) -> list[str]:
    layout = f"{folder}/<class name>/<picture>, one folder a class"
    if not folder.is_dir():
        raise UserError(f"The {channel} channel is missing: there is no folder {folder}. Expected {layout}.")
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not names:
        raise UserError(f"The {channel} channel has no class folders in {folder}. Expected {layout}.")
    return names


def _files(folder: Path, channel_folder: Path, channel: str) -> Iterator[Path]:
    root = channel_folder.resolve()
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            raise UserError(
                f"The {channel} channel holds a link that leads out of it: {path} -> {path.resolve()}. "
                "Copy the file into the channel."
            )
        if path.is_dir() and not path.is_symlink():
            yield from _files(path, channel_folder, channel)
        elif path.is_file():
            yield path


def _refuse_unusable(listing: Listing, channel: str, required: Sequence[str]) -> None:
    counts = listing.counts()
    empty = [name for name in required if not counts[name]]
    wanted = " ".join(sorted(EXTENSIONS))
    if not listing.examples:
        raise UserError(f"The {channel} channel {listing.folder} has no picture. Expected files ending in {wanted}.")
    if empty:
        raise UserError(
            f"The {channel} channel has classes without a picture: {', '.join(empty)}. "
            f"Put files ending in {wanted} there, or remove the folders."
        )
    if len(listing.class_names) < 2:
        raise UserError(
            f"The {channel} channel {listing.folder} has one class, {listing.class_names[0]}; a classifier needs two. "
            "Give each class its own folder directly below the channel."
        )


def split(listing: Listing, ratio: float, seed: int) -> tuple[Listing, Listing]:
    """Divide a listing into training and validation, the same way whenever names and seed are the same.

    Stratified: of each class's n pictures, round(n · ratio) but at least one are for validation, and at least
    one is for training.

    Raises:
        UserError: The ratio leaves one side empty, or a class has a single picture.
    """
    if not 0 < ratio < 1:
        raise UserError(
            f"validation_split_ratio is {ratio:g} and there is no validation channel, so one side of the split would "
            "be empty. Give a ratio between 0 and 1, such as 0.2, or a validation channel."
        )
    alone = [name for name, count in listing.counts().items() if count < 2]
    if alone:
        raise UserError(
            f"Too few pictures to split: {', '.join(alone)} has a single one, and training and validation need one "
            "each. Add pictures, or give a validation channel."
        )
    training: list[Example] = []
    validation: list[Example] = []
    for label in range(len(listing.class_names)):
        members = [example for example in listing.examples if example.label == label]
        members.sort(key=listing.name)
        random.Random(f"{seed}/{listing.class_names[label]}").shuffle(members)
        held = min(max(round(len(members) * ratio), 1), len(members) - 1)
        validation += members[:held]
        training += members[held:]
    return _part(listing, training), _part(listing, validation)


def _part(listing: Listing, examples: list[Example]) -> Listing:
    return Listing(listing.folder, listing.class_names, tuple(sorted(examples, key=listing.name)))


def without(listing: Listing, paths: Sequence[Path]) -> Listing:
    """Return the listing without the pictures at `paths`."""
    gone = set(paths)
    kept = tuple(example for example in listing.examples if example.path not in gone)
    return Listing(listing.folder, listing.class_names, kept, listing.other_files)


def fingerprint(listing: Listing) -> str:
    """Hash the names, labels and sizes of a listing's files; sha256, hexadecimal. No file is read."""
    digest = hashlib.sha256()
    for example in sorted(listing.examples, key=listing.name):
        digest.update(f"{listing.name(example)}\0{example.label}\0{example.path.stat().st_size}\n".encode())
    return digest.hexdigest()
