"""The process of a health check: `python -m image_classifier.console.datasets.health_process FOLDER HOME KEY`.

A process of its own, so that SciPy and large images cost the console no memory, and nothing that an image does to a
decoder reaches it.
"""

import hashlib
import resource
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from image_classifier import imaging
from image_classifier.class_folders import channel_listing, channel_scan
from image_classifier.console import tasks
from image_classifier.console.datasets import contents, health, known, regular_files
from image_classifier.console.datasets.contents import Channel, Contents
from image_classifier.console.datasets.health import Facts, Group
from image_classifier.console.datasets.known import TRAINING, DataSet
from image_classifier.console.datasets.thumbnails import problem_text
from image_classifier.console.tasks import Reporter
from image_classifier.contract.errors import PlatformError, UserError
from image_classifier.evaluation import duplicates, traits
from image_classifier.evaluation.evidence import Split
from image_classifier.evaluation.traits import Traits
from image_classifier.resources import memory

MOST_MEMORY = 3 * 2**30
"""Bytes of data of the process; decoding beyond it fails as that of a single image."""
TINY_SIDE = 32
"""Pixels of the shorter side: the usual backbones reduce 224 pixels by 32, so less is one position of their output."""
OBLONG = 4.0
"""Longer by shorter side, beyond which squeezing an image into a square leaves little of its shapes."""
_AT_ONCE = 1000
"""Images between two starts of the threads that read them."""
_SIDE = traits.SIDE


def main(arguments: Sequence[str]) -> int:
    """Run the check and return the exit code."""
    folder, home, key = Path(arguments[0]), Path(arguments[1]), arguments[2]
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
    memory.keep_freed_blocks()
    return tasks.run(folder, lambda reporter: _work(folder, home, key, reporter))


def _work(folder: Path, home: Path, key: str, reporter: Reporter) -> None:
    data_set = known.find(home, key)
    if data_set is None:
        raise UserError(f"The data set {key} is unknown.")
    reporter.begin("Listing files")
    found = contents.read(data_set, fresh=True)
    print_of_files = fingerprint(found)
    before = health.facts(home, data_set)
    if before is not None and before.fingerprint == print_of_files and before.digest == found.digest:
        return
    health.keep(folder, check(data_set, found, print_of_files, reporter))


def check(data_set: DataSet, found: Contents, print_of_files: str, reporter: Reporter) -> Facts:
    """Read every image and return the facts."""
    started = time.monotonic()
    reporter.begin("Reading images", len(found))
    read = _read(found, reporter)
    reporter.begin("Comparing images")
    groups = _groups(found, read, lambda: reporter.report("Comparing images"))
    problems, notes = _rules(data_set)
    known_traits = [
        (channel.image(row), one)
        for channel in found.channels
        for row, one in enumerate(read[channel.name])
        if one is not None
    ]
    sides = [max(one.width, one.height) for _, one in known_traits]
    return Facts(
        digest=found.digest,
        fingerprint=print_of_files,
        images=len(found),
        seconds=round(time.monotonic() - started, 2),
        unreadable=_unreadable(found, read),
        tiny=_sizes(known_traits, lambda one: min(one.width, one.height) < TINY_SIDE),
        oblong=_sizes(known_traits, _is_oblong),
        blank=tuple(image for image, one in known_traits if one.contrast == 0),
        groups=groups,
        rules=tuple(problems),
        notes=tuple(notes),
        formats=dict(Counter(one.format for _, one in known_traits).most_common()),
        sizes=(min(sides), int(statistics.median(sides)), max(sides), len(sides)) if sides else None,
    )


def fingerprint(found: Contents) -> str:
    """Hash the names, sizes and modification times of the files; sha256, hexadecimal. No file is read."""
    digest = hashlib.sha256()
    for channel, row in found.images():
        try:
            status = (channel.folder / channel.files[row]).stat()
            line = f"{channel.image(row)}\0{status.st_size}\0{status.st_mtime_ns}\n"
        except OSError:
            line = f"{channel.image(row)}\0\n"
        digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()


def _read(found: Contents, reporter: Reporter) -> dict[str, list[Traits | None]]:
    done, total = 0, len(found)

    def advance() -> None:
        nonlocal done
        done += 1
        reporter.report("Reading images", done, total)

    return {channel.name: _traits_of(channel, advance) for channel in found.channels}


def _traits_of(channel: Channel, advance: Callable[[], None]) -> list[Traits | None]:
    every: list[Traits | None] = [None] * len(channel.files)
    for start in range(0, len(every), _AT_ONCE):
        paths = [channel.folder / file for file in channel.files[start : start + _AT_ONCE]]
        every[start : start + _AT_ONCE] = traits.read(paths, advance, lambda path: _content(path, channel.inside))
    return every


def _content(path: Path, inside: str) -> bytes:
    """Return a file's bytes; of a pipe, a link out of the channel or a file larger than any photo, raise OSError."""
    try:
        return regular_files.read(path, inside).data
    except regular_files.UnusableFileError as error:
        raise OSError(str(error)) from error


def _problem_of_file(channel: Channel, row: int) -> str | None:
    """Return why a file is not read at all: it is a pipe, leads out of the channel, or is larger than any photo."""
    try:
        found = regular_files.stamp(channel.folder / channel.files[row], channel.inside)
    except regular_files.UnusableFileError as error:
        return str(error)
    if found.size > regular_files.MOST_BYTES:
        return f"It has {found.size:,} bytes; at most {regular_files.MOST_BYTES:,} are read."
    return None


def _groups(
    found: Contents, read: dict[str, list[Traits | None]], check_deadline: Callable[[], None]
) -> tuple[Group, ...]:
    splits = [
        Split(channel.name, channel.folder, channel.files, np.zeros(len(channel.files), np.int64))
        for channel in found.channels
    ]
    by_name = {channel.name: channel for channel in found.channels}
    return tuple(
        Group(group.kind is duplicates.Kind.EXACT, tuple(by_name[one.split].image(one.row) for one in group.members))
        for group in duplicates.find(splits, read, check_deadline).groups
    )


def _unreadable(found: Contents, read: dict[str, list[Traits | None]]) -> dict[str, str]:
    return {
        channel.image(row): _reason(channel, row)
        for channel in found.channels
        for row, one in enumerate(read[channel.name])
        if one is None
    }


def _reason(channel: Channel, row: int) -> str:
    if problem := _problem_of_file(channel, row):
        return problem
    try:
        data = regular_files.read(channel.folder / channel.files[row], channel.inside).data
        header = imaging.read_header(data)
        imaging.decode(header, imaging.reduced_size(imaging.upright_size(header), _SIDE), "bilinear")
    except (UserError, PlatformError) as error:
        return problem_text(str(error))
    return "It could not be read when it was checked. Check again."


def _sizes(known_traits: Sequence[tuple[str, Traits]], test: Callable[[Traits], bool]) -> dict[str, tuple[int, int]]:
    return {image: (one.width, one.height) for image, one in known_traits if test(one)}


def _is_oblong(one: Traits) -> bool:
    return max(one.width, one.height) > OBLONG * min(one.width, one.height)


def _rules(data_set: DataSet) -> tuple[list[str], list[str]]:
    """Return what training's own check would reject, and what it would only say."""
    scans = {name: channel_scan.scan(folder, name) for name, folder in data_set.folders.items()}
    names = scans[TRAINING].listing.class_names
    problems: list[str] = []
    for name, one in scans.items():
        others = names if name != TRAINING and names else None
        found = [*one.problems, *channel_listing.problems_of_whole(one, others)]
        if name == TRAINING:
            found += channel_listing.parts_of_a_split(one)
        problems += [problem.text for problem in found]
    notes = [
        line for one in scans.values() for line in (*one.notes, *one.listing.unused.lines(one.listing.other_files))
    ]
    notes += [
        f"Not used, since only files in class folders are, in the {one.channel} channel: "
        f"{channel_listing.loose_files(one)}."
        for one in scans.values()
        if one.loose and one.listing.class_names
    ]
    return problems, notes


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
