"""Images in the files and folders that a user names, each with the class that its folder stands for."""

import os
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from image_classifier.class_folders import channel_scan, manifest_scan, manifests
from image_classifier.class_folders.problems import raise_all
from image_classifier.contract.errors import UserError
from image_classifier.contract.system_names import is_ignored
from image_classifier.imaging import EXTENSIONS, FORMATS, sniff

_FIRST_BYTES = 32
"""Enough to recognise a format, see `imaging.sniff`."""


@dataclass(frozen=True)
class ImageFile:
    """An image as the user named it, or as it was found in a folder that the user named."""

    path: Path
    folder_name: str | None = None
    """The class that its place in a class folder stands for, or that a manifest says, in NFC; None for a file that was
    named itself."""


def find(named: Sequence[Path], announce: Callable[[str], None] = lambda text: None) -> list[ImageFile]:
    """Return the files, and the images below the folders in the order of their paths.

    A folder with a manifest, or the manifest itself, stands for the images that it lists, with their labels; of one
    with splits for those of `manifest_scan.held_out`, which a line for `announce` names.

    Below any other named folder the first folder level stands for classes, as in a training channel; images that lie
    in the named folder itself belong to the class of its own name. Hidden and system files are ignored. A file that
    was named itself is taken as it is.

    Raises:
        UserError: A folder holds no image, or cannot be read; a manifest has mistakes.
    """
    found: list[ImageFile] = []
    for path in named:
        images = _of_manifest(path, announce)
        if images is None:
            images = list(_below(path)) if path.is_dir() else [ImageFile(path)]
        if not images:
            raise UserError(f"{path} holds no image. Expected files of {', '.join(FORMATS)}, in any folder below it.")
        found += images
    return found


def _of_manifest(path: Path, announce: Callable[[str], None]) -> list[ImageFile] | None:
    if path.is_file() and not path.name.lower().endswith(manifests.ENDINGS):
        return None
    folder = manifests.folder_of(path, "The file")
    if not folder.is_dir() or not manifests.in_folder(folder):
        return None
    scan = channel_scan.scan(folder, "test")
    raise_all(scan.problems)
    split, images = manifest_scan.held_out(scan.listing)
    of_split = f" of the split {split}, not the other lines" if split else ""
    announce(f"Taking {len(images):,} images of {scan.manifest}{of_split}.")
    return [ImageFile(image.path, scan.listing.class_names[image.label]) for image in images]


def _below(folder: Path) -> Iterator[ImageFile]:
    for place, folders, names in os.walk(folder, onerror=_raise, followlinks=False):
        folders[:] = sorted(name for name in folders if not is_ignored(name))
        for name in sorted(names):
            path = Path(place, name)
            if not is_ignored(name) and is_image(path):
                parts = path.relative_to(folder).parts
                label = parts[0] if len(parts) > 1 else folder.resolve().name
                yield ImageFile(path, unicodedata.normalize("NFC", label))


def _raise(error: OSError) -> None:
    raise UserError(f"{error.filename} cannot be read: {error.strerror}. Change its mode, or leave it out.") from error


def is_image(path: Path) -> bool:
    """Return whether a file is called like an image, or begins like one."""
    if path.suffix.lower() in EXTENSIONS:
        return True
    try:
        with path.open("rb") as file:
            return sniff(file.read(_FIRST_BYTES)) is not None
    except OSError:
        return False
