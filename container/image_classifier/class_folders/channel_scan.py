"""Scan a channel once: its images by class, problems of single files, and notes for the log."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from image_classifier.class_folders import channel_walk, manifest_scan, manifests, permissions, unused_files
from image_classifier.class_folders.channel_walk import Entry, Findings
from image_classifier.class_folders.listing import Example, Listing
from image_classifier.class_folders.problems import Problem
from image_classifier.class_folders.storage import Storage
from image_classifier.contract.errors import ExplainedError
from image_classifier.contract.file_kinds import kind_of
from image_classifier.contract.names import (
    code_points,
    has_control_characters,
    is_utf8,
    listed,
    normalised,
    on_one_line,
)
from image_classifier.imaging import EXTENSIONS

_LOOSE = "images"


@dataclass(frozen=True)
class Scan:
    """Contents of a channel on this host."""

    channel: str
    listing: Listing
    problems: tuple[Problem, ...] = ()
    """Problems of single names and files, which do not depend on the other hosts."""
    notes: tuple[str, ...] = ()
    """For the log."""
    loose: Mapping[str, int] = field(default_factory=dict)
    """Files beside the class folders, or instead of them: description to count."""
    loose_images: int = 0
    """How many of these are images, by their names."""
    manifest: str | None = None
    """Name of the manifest that lists the images, instead of class folders."""


def scan(folder: Path, channel: str) -> Scan:
    """Scan a channel, by its manifest if it has one; collects problems instead of raising them."""
    seen = Findings()
    if not folder.is_dir():
        return Scan(channel, Listing(folder, (), ()))
    inside = os.path.realpath(folder)
    top = channel_walk.entries(str(folder), inside, seen)
    if found := by_manifest(folder, channel, [entry.name for entry in top if not entry.is_folder], seen):
        return found
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
    return Scan(
        channel, listing, tuple(problems), notes, _described(folder, loose), sum(map(ends_like_an_image, loose))
    )


def by_manifest(folder: Path, channel: str, names: Sequence[str], seen: Findings) -> Scan | None:
    """Scan a channel by its manifest; None without one. `names` are the files that lie directly in its folder."""
    try:
        found = manifests.find(str(folder), names, seen.storage)
    except ExplainedError as error:
        return Scan(channel, Listing(folder, (), ()), (Problem(str(error), type(error)),))
    if not found:
        return None
    problems = _problems_of_findings(channel, seen)
    if len(found) > 1:
        several = Problem(f"The {channel} channel {manifests.several(str(folder), found)}")
        return Scan(channel, Listing(folder, (), ()), (several, *problems), manifest=found[0])
    read = manifest_scan.read(folder, channel, found[0], seen.storage)
    return Scan(channel, read.listing, (*read.problems, *problems), read.notes, manifest=found[0])


def _listing(folder: Path, names: Sequence[str], paths: Sequence[Sequence[str]]) -> tuple[Listing, list[Problem]]:
    unknown = [(label, path) for label, some in enumerate(paths) for path in some if not ends_like_an_image(path)]
    problems: list[Problem] = []
    try:
        known = unused_files.sniff([path for _, path in unknown], Storage())
    except ExplainedError as error:
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


def ends_like_an_image(path: str) -> bool:
    """Return whether a file's name ends as those of images do, in any case."""
    return path[path.rfind(".") :].lower() in EXTENSIONS


def _described(folder: Path, loose: Sequence[str]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for name in loose:
        kind = kind_of(b"", unused_files.ending(name))
        if kind and kind.holds_data:
            found[f"{on_one_line(name)} ({kind.name}: {kind.remedy})"] += 1
        elif ends_like_an_image(name):
            found[_LOOSE] += 1
        else:
            found[on_one_line(name)] += 1
    if count := found.pop(_LOOSE, 0):
        first = next(name for name in loose if ends_like_an_image(name))
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
