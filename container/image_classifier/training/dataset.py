"""From folders of pictures to named, labelled, split lists of files. No picture is opened here."""

import hashlib
import os
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from image_classifier.contract.errors import UserError
from image_classifier.imaging import EXTENSIONS


@dataclass(frozen=True, slots=True)
class Example:
    """One picture and the index of its class."""

    path: Path
    label: int
    owner: int | None = None
    """Rank of the only host that has the file; None: every host has it."""


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
        # As text: pathlib takes seconds to do this for 100,000 pictures.
        return str(example.path).removeprefix(f"{self.folder}/")

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
    return complete(_listed(folder, _class_folders(folder, channel), channel), channel, class_names)


def list_part(folder: Path, channel: str) -> Listing:
    """List what this host has of a channel that is spread over several: perhaps nothing, and of some classes alone.

    Raises:
        UserError: A link leads out of the channel.
    """
    some = folder.is_dir() and any(path.is_dir() for path in folder.iterdir())
    return _listed(folder, _class_folders(folder, channel) if some else [], channel)


def complete(listing: Listing, channel: str, class_names: Sequence[str] | None = None) -> Listing:
    """Return a whole channel's listing with the class order of `class_names`, when they are given.

    Raises:
        UserError: As `list_channel` does.
    """
    names = listing.class_names
    if class_names is not None and not set(names) <= set(class_names):
        unknown = ", ".join(sorted(set(names) - set(class_names)))
        raise UserError(
            f"The {channel} channel has classes that the training channel lacks: {unknown}. "
            f"Its folders must be among: {', '.join(class_names)}."
        )
    if class_names is not None and tuple(class_names) != names:
        indices = {name: index for index, name in enumerate(class_names)}
        examples = tuple(replace(one, label=indices[names[one.label]]) for one in listing.examples)
        listing = replace(listing, class_names=tuple(class_names), examples=examples)
    _refuse_unusable(listing, channel, required=names)
    return listing


def _listed(folder: Path, names: Sequence[str], channel: str) -> Listing:
    inside = os.path.realpath(folder)
    examples: list[Example] = []
    other: Counter[str] = Counter()
    for label, name in enumerate(names):
        for path in map(Path, _files(str(folder / name), inside, channel)):
            extension = path.suffix.lower()
            if extension in EXTENSIONS:
                examples.append(Example(path, label))
            else:
                other[extension or "no extension"] += 1
    return Listing(folder, tuple(names), tuple(examples), dict(other))


def _class_folders(folder: Path, channel: str) -> list[str]:
    layout = f"{folder}/<class name>/<picture>, one folder a class"
    if not folder.is_dir():
        raise UserError(f"The {channel} channel is missing: there is no folder {folder}. Expected {layout}.")
    with os.scandir(folder) as entries:
        found = [entry for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
    if not found:
        raise UserError(f"The {channel} channel has no class folders in {folder}. Expected {layout}.")
    for entry in found:
        _refuse_link_out(entry, os.path.realpath(folder), channel)
    return sorted(entry.name for entry in found)


def _files(folder: str, inside: str, channel: str) -> Iterator[str]:
    # The directory says itself what is a file and what a folder, so no file is asked: on a network that is a trip each.
    with os.scandir(folder) as entries:
        found = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    for entry in found:
        _refuse_link_out(entry, inside, channel)
        if entry.is_dir(follow_symlinks=False):
            yield from _files(entry.path, inside, channel)
        elif entry.is_file():
            yield entry.path


def _refuse_link_out(entry: os.DirEntry[str], inside: str, channel: str) -> None:
    if not entry.is_symlink():
        return
    target = os.path.realpath(entry.path)
    if not Path(target).is_relative_to(inside):
        raise UserError(
            f"The {channel} channel holds a link that leads out of it: {entry.path} -> {target}. "
            "Copy the file into the channel."
        )


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

    A file that one host alone has counts without its size, which the others cannot know.
    """
    digest = hashlib.sha256()
    for example in sorted(listing.examples, key=listing.name):
        size = example.path.stat().st_size if example.owner is None else ""
        line = f"{listing.name(example)}\0{example.label}\0{size}\n"
        # A file's name need not be UTF-8.
        digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()
