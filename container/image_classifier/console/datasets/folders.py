"""Folders to choose from, and which channels a chosen one holds."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from image_classifier.class_folders import channel_scan, manifests, split_folders
from image_classifier.console.datasets.known import IMAGE_CHANNELS, TRAINING
from image_classifier.console.roots import Roots
from image_classifier.contract.errors import PlatformError, UserError
from image_classifier.contract.names import is_utf8, on_one_line
from image_classifier.contract.system_names import is_ignored

MOST_ENTRIES = 1_000
"""Sub-folders that are listed."""
_LOOKED_AT = 20_000
"""Entries of a folder that are counted."""


@dataclass(frozen=True)
class Folder:
    """A folder that can be opened."""

    name: str
    path: Path


@dataclass(frozen=True)
class Listing:
    """What a folder offers."""

    path: Path
    above: tuple[Folder, ...]
    """The folders on the way to it, from an allowed one; without itself."""
    below: tuple[Folder, ...]
    left_out: int
    """Sub-folders beyond `MOST_ENTRIES`."""
    images: int
    """Images that lie directly in it; at most `_LOOKED_AT` entries are looked at."""
    channels: dict[str, Path]
    """Channels that its sub-folders are named after; empty if they are not."""


def browse(roots: Roots, path: Path) -> Listing:
    """List the sub-folders of an allowed folder.

    Raises:
        UserError: It lies outside the allowed folders, or cannot be read.
    """
    real = roots.resolve_folder(path)
    names, images = _look(real)
    below = tuple(Folder(on_one_line(name), real / name) for name in names if roots.contain((real / name).resolve()))
    return Listing(
        real, _above(roots, real), below[:MOST_ENTRIES], max(0, len(below) - MOST_ENTRIES), images, channels_of(real)
    )


def channels_of(folder: Path) -> dict[str, Path]:
    """Return the channels that a folder's sub-folders are named after: `train` and `val`, `training` and `test`.

    Empty where the sub-folders are classes, see `class_folders.split_folders`, or a manifest names the images.
    """
    if _has_manifest(folder):
        return {}
    names, _ = _look(folder)
    parts = split_folders.parts(names, lambda name: _look(folder / name)[0])
    found: dict[str, Path] = {}
    for name in parts:
        channel = split_folders.channel_of(name)
        if channel in IMAGE_CHANNELS:
            found.setdefault(channel, folder / name)
    return {name: found[name] for name in IMAGE_CHANNELS if name in found} if TRAINING in found else {}


def unwrapped(folder: Path) -> Path:
    """Return the folder with the classes, channels or manifest of an unpacked archive, below folders that wrap it."""
    while True:
        names, images = _look(folder)
        if images or len(names) != 1 or _has_manifest(folder) or not _look(folder / names[0])[0]:
            return folder
        folder = folder / names[0]


def chosen(roots: Roots, given: dict[str, str]) -> dict[str, Path]:
    """Return the folders by channel of what a form names: a folder of channels, or one folder per channel.

    Raises:
        UserError: See `Roots.resolve_folder`; every field with a mistake is named.
    """
    found, wrong = {}, []
    for channel, path in given.items():
        if not path.strip():
            continue
        try:
            found[channel] = roots.resolve_folder(path.strip())
        except UserError as error:
            wrong.append(f"{channel}: {error}")
    if wrong:
        raise UserError(" ".join(wrong))
    if set(found) == {TRAINING} and (channels := channels_of(found[TRAINING])):
        return {name: roots.resolve_folder(path) for name, path in channels.items()}
    return found


def _look(folder: Path) -> tuple[list[str], int]:
    """Return the names of a folder's sub-folders, sorted, and how many images lie directly in it."""
    names, images = [], 0
    try:
        with os.scandir(folder) as entries:
            for count, entry in enumerate(entries):
                if count >= _LOOKED_AT:
                    break
                if is_ignored(entry.name) or not is_utf8(entry.name):
                    continue
                if entry.is_dir():
                    names.append(entry.name)
                else:
                    images += channel_scan.ends_like_an_image(entry.name)
    except OSError:
        return [], 0
    return sorted(names, key=str.casefold), images


def _has_manifest(folder: Path) -> bool:
    try:
        return bool(manifests.in_folder(folder))
    except PlatformError:
        return False


def _above(roots: Roots, real: Path) -> tuple[Folder, ...]:
    on_the_way: Sequence[Path] = [folder for folder in reversed(real.parents) if roots.contain(folder)]
    return tuple(Folder(on_one_line(folder.name or str(folder)), folder) for folder in on_the_way)
