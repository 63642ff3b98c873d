"""The images of a channel by its manifest, in the form in which class folders give them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from image_classifier.class_folders import manifest_files, manifest_lines, manifests, permissions
from image_classifier.class_folders.listing import Example, Listing
from image_classifier.class_folders.manifest_lines import TEST, TRAINING, VALIDATION, Line
from image_classifier.class_folders.manifest_mistakes import Mistake, Mistakes
from image_classifier.class_folders.problems import Problem
from image_classifier.class_folders.storage import Storage
from image_classifier.contract.errors import ExplainedError
from image_classifier.contract.names import listed, on_one_line


@dataclass(frozen=True)
class Manifested:
    """What a manifest lists."""

    listing: Listing
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    """For the log."""


def read(folder: Path, channel: str, name: str, storage: Storage) -> Manifested:
    """Read a manifest in a channel's folder; collects all problems instead of raising them."""
    empty = Listing(folder, (), ())
    mistakes = Mistakes(f"{folder}/{name}")
    try:
        lines = manifest_lines.read(storage.read(folder / name), name, mistakes)
        paths = manifest_files.paths_of(lines, str(folder), storage, mistakes)
    except ExplainedError as error:
        return Manifested(empty, (*mistakes.problems(), Problem(str(error), type(error))), ())
    kept, repeated = _distinct(paths, mistakes)
    problems = mistakes.problems()
    if not lines and not problems:
        problems = [Problem(f"{on_one_line(mistakes.manifest)} lists no image. Expected {manifests.EXPECTED}.")]
    listing = _listing(folder, kept)
    problems += permissions.unreadable_files([example.path for example in listing.examples])
    notes = [
        f"The {channel} channel is read by its manifest {on_one_line(name)}: {len(kept):,} image(s). Folder "
        "names are not used as classes, and files that it does not list are not used."
    ]
    if repeated:
        notes.append(f"In {on_one_line(name)}, {repeated:,} line(s) repeat an earlier one; each image is used once.")
    return Manifested(listing, tuple(problems), tuple(notes))


def _distinct(paths: Mapping[Line, str], mistakes: Mistakes) -> tuple[dict[str, Line], int]:
    """Return the first line of each file, and how many lines only repeat one."""
    found: dict[str, Line] = {}
    repeated = 0
    for line, path in paths.items():
        first = found.setdefault(path, line)
        if first is line:
            continue
        if first.label != line.label:
            mistakes.add(Mistake.LABELS_DIFFER, line.number, f"{path}: {first.label} and {line.label}")
        elif first.split != line.split:
            mistakes.add(Mistake.SPLITS_DIFFER, line.number, path)
        else:
            repeated += 1
    return found, repeated


def _listing(folder: Path, kept: Mapping[str, Line]) -> Listing:
    names = tuple(sorted({line.label for line in kept.values()}))
    index = {name: label for label, name in enumerate(names)}
    # In the order of class folders, whatever that of the lines.
    order = sorted(kept, key=lambda path: (index[kept[path].label], path.split("/")))
    examples = [Example(Path(f"{folder}/{path}"), index[kept[path].label], split=kept[path].split) for path in order]
    return Listing(folder, names, tuple(examples))


def held_out(listing: Listing) -> tuple[str | None, list[Example]]:
    """Return the images of a manifest that a model is judged on, and their split; None: the manifest has no splits.

    They are those of test, else those of validation, else all.
    """
    given = {example.split for example in listing.examples}
    split = next((name for name in (TEST, VALIDATION) if name in given), None)
    return split, [example for example in listing.examples if split in (None, example.split)]


def problems_of_whole(
    listing: Listing, channel: str, name: str, class_names: Sequence[str] | None = None
) -> list[Problem]:
    """Return the problems of a whole channel that is read by its manifest `name`.

    `class_names` are those of training, for another channel.
    """
    manifest = on_one_line(f"{listing.folder}/{name}")
    found: list[str] = []
    if not listing.examples:
        # Its lines have problems of their own.
        return []
    if class_names is not None and (unknown := sorted(set(listing.class_names) - set(class_names))):
        found.append(
            f"{manifest} has labels that the training channel lacks: {listed(unknown)}. They must be among: "
            f"{listed(list(class_names), 20)}."
        )
    splits = {example.split for example in listing.examples} - {None}
    if channel != TRAINING and (others := sorted(map(str, splits - {channel}))):
        found.append(
            f"{manifest} has lines of the split {', '.join(others)} in the {channel} channel. Leave them out, or give "
            "the whole manifest as the training channel alone."
        )
    if class_names is None and len(listing.class_names) == 1:
        found.append(f"{manifest} has one label, {on_one_line(listing.class_names[0])}; a classifier needs two.")
    if channel == TRAINING and splits:
        trained = {example.label for example in listing.examples if example.split in (None, TRAINING)}
        if lost := [name for label, name in enumerate(listing.class_names) if label not in trained]:
            found.append(
                f"{manifest} has labels without an image of the split train: {listed(lost)}. Give each class images to "
                "train on."
            )
    return list(map(Problem, found))
