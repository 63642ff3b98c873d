"""From a channel's folder to a listing of its images, and everything that is wrong with it."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from image_classifier.contract.errors import JobError, PlatformError
from image_classifier.contract.file_kinds import kind_of
from image_classifier.contract.names import code_points, has_control_characters, is_utf8, normalised, on_one_line
from image_classifier.imaging import EXTENSIONS
from image_classifier.training import channel_walk, permissions, unused_files
from image_classifier.training.channel_walk import Entry, Findings
from image_classifier.training.dataset import Example, Listing
from image_classifier.training.problems import Problem, listed, raise_all
from image_classifier.training.storage import Storage

_NAMES_SHOWN = 20
_LOOSE = "images"
_DETAILS = 3


@dataclass(frozen=True)
class Scan:
    """A channel as it lies on this host."""

    channel: str
    listing: Listing
    problems: tuple[Problem, ...] = ()
    """Those of single names and files, which a listing of several hosts would have too."""
    notes: tuple[str, ...] = ()
    """For the log."""
    loose: Mapping[str, int] = field(default_factory=dict)
    """What lies beside the class folders, or in place of them: description to count."""


def list_channel(folder: Path, channel: str, class_names: Sequence[str] | None = None) -> Listing:
    """List a channel: one folder per class, nested folders walked, hidden and system names ignored.

    Class names are in Unicode's composed form and in Python's `sorted()` order. With `class_names` (those of the
    training channel) the folders must be among them; classes without images are then allowed.

    Raises:
        UserError: The channel is missing or empty, has fewer than two classes, a class has no image or a name that is
            not text, a class is not one of `class_names`, or a link leads out of the channel.
        PlatformError: A folder or a file cannot be read.
    """
    return complete(scan(folder, channel), class_names)


def complete(found: Scan, class_names: Sequence[str] | None = None) -> Listing:
    """Return a whole channel's listing with the class order of `class_names`, when they are given.

    Raises:
        UserError, PlatformError: As `list_channel` does; the message names every problem.
    """
    raise_all([*found.problems, *problems_of_whole(found, class_names)])
    return with_labels(found.listing, class_names)


def with_labels(listing: Listing, class_names: Sequence[str] | None) -> Listing:
    """Return a listing whose labels are places in `class_names`, which hold all of its own names."""
    if class_names is None or tuple(class_names) == listing.class_names:
        return listing
    indices = {name: index for index, name in enumerate(class_names)}
    examples = tuple(replace(one, label=indices[listing.class_names[one.label]]) for one in listing.examples)
    return replace(listing, class_names=tuple(class_names), examples=examples)


def scan(folder: Path, channel: str) -> Scan:
    """Walk a channel; several problems are found, none is raised."""
    seen = Findings()
    if not folder.is_dir():
        return Scan(channel, Listing(folder, (), ()))
    inside = os.path.realpath(folder)
    top = channel_walk.entries(str(folder), inside, seen)
    classes: dict[str, list[Entry]] = {}
    for entry in top:
        if entry.is_folder:
            classes.setdefault(normalised(entry.name), []).append(entry)
    names = sorted(classes)
    paths = [[path for one in classes[name] for path in channel_walk.files(one.path, inside, seen)] for name in names]
    listing, problems = _listing(folder, names, paths)
    loose = [entry.name for entry in top if not entry.is_folder]
    problems += [*_problems_of_names(channel, names, loose), *_problems_of_findings(channel, seen)]
    notes = (*_merged(channel, classes), *_notes(channel, seen))
    return Scan(channel, listing, tuple(problems), notes, _described(folder, loose))


def _listing(folder: Path, names: Sequence[str], paths: Sequence[Sequence[str]]) -> tuple[Listing, list[Problem]]:
    unknown = [(label, path) for label, some in enumerate(paths) for path in some if not _ends_like_an_image(path)]
    problems: list[Problem] = []
    try:
        known = unused_files.sniff([path for _, path in unknown], Storage())
    except JobError as error:
        problems.append(Problem(str(error), type(error)))
        known = [(False, None)] * len(unknown)
    sniffed = [path for (_, path), (is_image, _) in zip(unknown, known, strict=True) if is_image]
    others = {
        path: (names[label], kind)
        for (label, path), (is_image, kind) in zip(unknown, known, strict=True)
        if not is_image
    }
    examples = tuple(
        Example(Path(path), label) for label, some in enumerate(paths) for path in some if path not in others
    )
    problems += permissions.unreadable_files([example.path for example in examples])
    unused = unused_files.gather(((name, path, kind) for path, (name, kind) in others.items()), sniffed)
    total = sum(unused.by_class.values(), Counter())
    return Listing(folder, tuple(names), examples, dict(total), unused), problems


def _ends_like_an_image(path: str) -> bool:
    return path[path.rfind(".") :].lower() in EXTENSIONS


def _described(folder: Path, loose: Sequence[str]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for name in loose:
        kind = kind_of(b"", unused_files.ending(name))
        if kind and kind.holds_data:
            found[f"{on_one_line(name)} ({kind.name}: {kind.remedy})"] += 1
        elif _ends_like_an_image(name):
            found[_LOOSE] += 1
        else:
            found[on_one_line(name)] += 1
    if count := found.pop(_LOOSE, 0):
        first = next(name for name in loose if _ends_like_an_image(name))
        found[f"image(s) outside class folders, such as {on_one_line(first)}"] = count
    return dict(found)


def _problems_of_names(channel: str, classes: Sequence[str], loose: Sequence[str]) -> list[Problem]:
    found = []
    if broken := [on_one_line(name) for name in classes if not is_utf8(name)]:
        found.append(
            f"Class folders of the {channel} channel have names that are not UTF-8: {listed(broken)}. "
            "Rename them; labels are written in UTF-8."
        )
    if control := [on_one_line(name) for name in classes if is_utf8(name) and has_control_characters(name)]:
        found.append(
            f"Class folders of the {channel} channel have control characters in their names: {listed(control)}. "
            "Rename them."
        )
    if windows := [on_one_line(name) for name in (*classes, *loose) if _has_backslash(name)]:
        found.append(
            f"The {channel} channel has {len(windows)} name(s) with a backslash, such as {windows[0]}: in S3 keys a "
            "backslash does not separate folders. Upload the files again with / in the keys, as aws s3 cp --recursive "
            "does."
        )
    return list(map(Problem, found))


def _has_backslash(name: str) -> bool:
    return "\\" in name or "%5c" in name.lower()


def _problems_of_findings(channel: str, seen: Findings) -> list[Problem]:
    found = []
    if seen.out:
        path, target = map(on_one_line, seen.out[0])
        more = f" and {len(seen.out) - 1} more" if len(seen.out) > 1 else ""
        found.append(
            Problem(
                f"The {channel} channel holds a link that leads out of it: {path} -> {target}{more}. Copy the file "
                "into the channel."
            )
        )
    if seen.unreadable:
        paths = [f"{on_one_line(path)} ({reason})" for path, reason in seen.unreadable]
        found.append(permissions.problem("cannot be read", "folder", paths))
    return found


def _merged(channel: str, classes: Mapping[str, Sequence[Entry]]) -> list[str]:
    return [
        f"The {channel} channel has {' and '.join(code_points(one.name) for one in found)}, two Unicode forms of one "
        f"name: they are one class, {on_one_line(name)}."
        for name, found in classes.items()
        if len(found) > 1
    ]


def _notes(channel: str, seen: Findings) -> list[str]:
    found = []
    if seen.ignored:
        counts = [f"{on_one_line(name)} {count}" for name, count in seen.ignored.most_common()]
        found.append(f"Ignored in the {channel} channel, hidden or a system's own: {listed(counts)}.")
    for paths, what in (
        (seen.not_followed, "link(s) to folders that were read already or that contain the link"),
        (seen.broken, "link(s) without a target"),
        (seen.special, "pipe(s), socket(s) or device(s)"),
    ):
        if paths:
            names = listed(list(map(on_one_line, paths)))
            found.append(f"Ignored in the {channel} channel: {len(paths)} {what}: {names}.")
    return found


def problems_of_whole(found: Scan, class_names: Sequence[str] | None = None) -> list[Problem]:
    """Return what keeps a whole channel from being used, given the class names of training for another channel."""
    listing, channel = found.listing, found.channel
    folder = on_one_line(str(listing.folder))
    layout = f"{folder}/<class name>/<image>, one folder per class"
    if any(problem.owner is PlatformError for problem in found.problems):
        # What cannot be read looks empty.
        return []
    if not listing.folder.is_dir() and not listing.class_names:
        return [Problem(f"The {channel} channel is missing: there is no folder {folder}. Expected {layout}.")]
    if not listing.class_names:
        if any("backslash" in problem.text for problem in found.problems):
            return []
        holds = f" It holds {loose}." if (loose := loose_files(found)) else ""
        return [Problem(f"The {channel} channel has no class folders in {folder}.{holds} Expected {layout}.")]
    if class_names is not None and (unknown := sorted(set(listing.class_names) - set(class_names))):
        return [
            Problem(
                f"The {channel} channel has classes that the training channel lacks: "
                f"{listed([code_points(name) for name in unknown])}. Its folders must be among: "
                f"{listed([code_points(name) for name in class_names], _NAMES_SHOWN)}."
            )
        ]
    return [Problem(text) for text in (*_empty(listing, channel), *([] if class_names else _alone(listing, channel)))]


def loose_files(found: Scan) -> str:
    """Say what lies beside the class folders; empty when nothing does."""
    return listed([text if count == 1 else f"{count} {text}" for text, count in found.loose.items()])


def _empty(listing: Listing, channel: str) -> list[str]:
    folder = on_one_line(str(listing.folder))
    counts = listing.counts()
    empty = [name for name, count in counts.items() if not count]
    wanted = " ".join(sorted(EXTENSIONS))
    details = "; ".join(f"{on_one_line(name)} {listing.unused.of_class(name)}" for name in empty[:_DETAILS])
    if not listing.examples:
        return [f"The {channel} channel {folder} has no picture: {details}. Expected files ending in {wanted}."]
    if not empty:
        return []
    return [
        f"The {channel} channel has classes without a picture: {listed(list(map(on_one_line, empty)))}. {details}. Put "
        f"files ending in {wanted} there, or remove the folders."
    ]


def _alone(listing: Listing, channel: str) -> list[str]:
    if len(listing.class_names) > 1:
        return []
    below = sorted(subfolders(listing, 0))
    nested = f" It holds the folders {listed(list(map(on_one_line, below)))}." if below else ""
    return [
        f"The {channel} channel {on_one_line(str(listing.folder))} has one class, "
        f"{on_one_line(listing.class_names[0])}; a classifier needs two.{nested} Give each class its own folder "
        "directly below the channel."
    ]


def subfolders(listing: Listing, label: int) -> set[str]:
    """Return the names of the sub-folders of a class that hold images, at any depth."""
    paths = (listing.name(example).split("/") for example in listing.examples if example.label == label)
    return {parts[1] for parts in paths if len(parts) > 2}
