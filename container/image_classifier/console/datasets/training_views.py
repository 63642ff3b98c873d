"""The images of a data set with the labels of its overlay, as folders that a job can train on.

The view's files are hard links where the file system allows it, else copies: a job follows no link that leads out of
its channel, and a container would not see the target. Nothing writes through them.
"""

import errno
import os
import shutil
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from image_classifier import durable_files, own_files
from image_classifier.console.datasets import contents, known, labels, regular_files, selections
from image_classifier.console.datasets.contents import UNLABELLED, Channel, Contents
from image_classifier.console.datasets.known import WRITER, DataSet
from image_classifier.console.datasets.labels import Overlay
from image_classifier.contract.errors import UserError
from image_classifier.contract.names import on_one_line

_NO_HARD_LINK = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.EACCES)
"""Another file system, one without hard links, or a file of another user (protected_hardlinks)."""


class Links(StrEnum):
    """What the files of an export are."""

    HARD = "hard"
    """Hard links, or copies where the file system has none: jobs and containers can train on it."""
    RELATIVE = "relative"
    """Symbolic links by relative paths, which survive moving both folders together."""
    ABSOLUTE = "absolute"


def training_view(home: Path, key: str, folder: Path) -> Path:
    """Write the current labels of a data set to the new folder `folder` and return it, for a job to train on.

    `<folder>/<channel>/<class>/<file>`; without excluded and unlabelled images. The folder appears when it is whole.

    Raises:
        UserError: The data set is unknown; or see `export`.
        OSError: The disk is full or not writable.
    """
    return export(home, needed(home, key), folder, Links.HARD)


def channels_for_training(home: Path, key: str, folder: Path) -> dict[str, Path]:
    """Return the folder of each channel to train on: the user's own, or those of a view in `folder` if labels differ.

    Raises:
        UserError, OSError: See `training_view`.
    """
    data_set = needed(home, key)
    found = contents.read(data_set)
    has_loose = any(label < 0 for channel in found.channels for label in channel.labels)
    if not labels.read(home, key).labels and not has_loose:
        return data_set.folders
    view = training_view(home, key, folder)
    return {name: view / name for name in known.IMAGE_CHANNELS if (view / name).is_dir()}


def needed(home: Path, key: str) -> DataSet:
    """Return a known data set.

    Raises:
        UserError: It is unknown.
    """
    data_set = known.find(home, key)
    if data_set is None:
        raise UserError(f"The data set {key} is unknown. Choose one on the Data screen.")
    return data_set


def export(
    home: Path, data_set: DataSet, folder: Path, links: Links, progress: Callable[[int], None] = lambda done: None
) -> Path:
    """Write a data set with its current labels as folders of links; `progress` is called with the files done.

    Raises:
        UserError: The folder exists and is not empty, or overlaps the data; or an image vanished meanwhile.
        OSError: The disk is full or not writable; nothing is left behind.
    """
    for channel, original in data_set.folders.items():
        if own_files.overlap(folder, original):
            raise UserError(
                f"{on_one_line(str(folder))} overlaps the {channel} images in {on_one_line(str(original))}. Give a "
                "new folder elsewhere."
            )
    own_files.remove_empty(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name[:200]}.partial-{os.getpid()}")
    own_files.remove_folder(partial)
    partial.mkdir()
    try:
        overlay = labels.read(home, data_set.key)
        _write(contents.read(data_set, fresh=True), overlay, partial, links, progress)
        own_files.mark(partial, WRITER)
        durable_files.rename_folder(partial, folder)
    finally:
        own_files.remove_folder(partial)
    return folder


def _write(found: Contents, overlay: Overlay, folder: Path, links: Links, progress: Callable[[int], None]) -> None:
    taken: set[Path] = set()
    # Several images of one class may have the same name in different sub-folders or class folders.
    for done, place in enumerate(found.images(), start=1):
        row = selections.row_of(place, overlay)
        if row.class_name is None or row.class_name == UNLABELLED:
            continue
        class_folder = folder / place[0].split_of(place[1]) / row.class_name
        target = class_folder / _name(row.path, row.folder_class)
        if target in taken:
            target = class_folder / row.path.replace("/", "-")
        while target in taken:
            target = target.with_name(f"_{target.name}")
        taken.add(target)
        class_folder.mkdir(parents=True, exist_ok=True)
        _link(place[0], place[1], target, links, folder)
        progress(done)


def _name(path: str, folder_class: str) -> str:
    below = path.split("/", 1)[-1] if folder_class != UNLABELLED else path
    return below.replace("/", "-")


def _link(channel: Channel, row: int, target: Path, links: Links, partial: Path) -> None:
    source = channel.folder / channel.files[row]
    try:
        if links is Links.HARD:
            _hard_link(channel, source, target)
        elif links is Links.ABSOLUTE:
            target.symlink_to(source)
        else:
            # The folder above is the final one too: it is the partial folder that is renamed.
            above = os.path.realpath(partial.parent)
            final = Path(above, "x", *target.relative_to(partial).parts[:-1])
            target.symlink_to(os.path.relpath(os.path.realpath(source.parent), final) + f"/{source.name}")
    except FileNotFoundError as error:
        raise UserError(f"{on_one_line(str(source))} vanished meanwhile. Scan the data set again.") from error


def _hard_link(channel: Channel, source: Path, target: Path) -> None:
    try:
        if source.is_symlink():
            # A hard link of a link would be a link that leads out of the view.
            source = source.resolve(strict=True)
            if not str(source).startswith(f"{channel.inside}/"):
                raise UserError(f"{on_one_line(str(source))} lies outside {channel.inside}. Scan the data set again.")
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_HARD_LINK:
            raise
        content = regular_files.read(source, channel.inside)
        with durable_files.new_file(target) as file:
            file.write(content.data)
        shutil.copystat(source, target)
