"""The data sets that the console knows: one file each in `home/data-sets`, which names the folders of the channels.

Removing a data set from the list removes that file alone. Only the folder of an imported one, which the console wrote
below `home/data`, can be deleted, and only by `delete_imported`.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from image_classifier import durable_files, own_files
from image_classifier.contract.channels import CHANNELS
from image_classifier.contract.errors import UserError
from image_classifier.contract.names import on_one_line

FOLDER = "data-sets"
WRITER = "console"
"""The marker of an imported data set's folder."""
IMAGE_CHANNELS = tuple(channel.name for channel in CHANNELS if channel.name != "model")
TRAINING = IMAGE_CHANNELS[0]
_KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,79}")
_MOST_NAME = 80


class Source(StrEnum):
    """Where a data set came from."""

    FOLDER = "folder"
    """The user's own folder, which is only read."""
    UPLOAD = "upload"
    SAMPLE = "sample"
    S3 = "s3"


@dataclass(frozen=True)
class DataSet:
    """A data set that the console knows."""

    key: str
    """Of addresses and files: lower-case letters, digits and hyphens."""
    name: str
    channels: Mapping[str, str]
    """Folder by channel, in the order of `IMAGE_CHANNELS`; real paths."""
    source: Source = Source.FOLDER
    origin: str = ""
    """The address, sample or file that it was imported from; empty for a folder."""
    added: str = ""
    """UTC, ISO 8601."""
    licence: str = ""
    """Of sample data."""

    @property
    def is_imported(self) -> bool:
        """Whether the console wrote its files."""
        return self.source is not Source.FOLDER

    @property
    def folders(self) -> dict[str, Path]:
        """Folder by channel."""
        return {name: Path(folder) for name, folder in self.channels.items()}


def add(
    home: Path,
    name: str,
    channels: Mapping[str, Path],
    source: Source = Source.FOLDER,
    origin: str = "",
    licence: str = "",
) -> DataSet:
    """Remember a data set; the same folders again are the same data set, with the name that it has.

    Raises:
        UserError: No training channel; a channel is unknown; or one folder contains another.
        OSError: The disk is full or not writable.
    """
    _check(channels)
    paths = {channel: str(channels[channel]) for channel in IMAGE_CHANNELS if channel in channels}
    shown = on_one_line(name).strip()[:_MOST_NAME] or "data"
    digest = _digest(paths)
    key = f"{_slug(shown)}-{digest}"
    if found := next(
        (one for path in (home / FOLDER).glob(f"*-{digest}.json") if (one := find(home, path.stem))), None
    ):
        return found
    found = DataSet(key, shown, paths, source, origin, datetime.now(UTC).isoformat(timespec="seconds"), licence)
    folder = home / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    durable_files.write_json(folder / f"{key}.json", asdict(found))
    return found


def every(home: Path) -> list[DataSet]:
    """Return the known data sets, the latest first. Files that are not of a data set are left out."""
    folder = home / FOLDER
    keys = [path.stem for path in folder.glob("*.json")] if folder.is_dir() else []
    found = [one for key in keys if (one := find(home, key))]
    return sorted(found, key=lambda one: (one.added, one.key), reverse=True)


def find(home: Path, key: str) -> DataSet | None:
    """Return a known data set; None if the console does not know it."""
    if not _KEY.fullmatch(key):
        return None
    try:
        read = json.loads((home / FOLDER / f"{key}.json").read_bytes())
        return DataSet(**{**read, "source": Source(read["source"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def forget(home: Path, key: str) -> None:
    """Remove a data set from the list. Its images and its labels stay where they are."""
    if _KEY.fullmatch(key):
        (home / FOLDER / f"{key}.json").unlink(missing_ok=True)


def delete_imported(home: Path, key: str) -> None:
    """Delete the images of an imported data set, and remove it from the list.

    Raises:
        UserError: It is unknown, or its folder is not one that the console wrote; nothing is deleted.
    """
    found = find(home, key)
    if found is None or (folder := imported_folder(home, found)) is None:
        raise UserError("Only images that the console imported can be deleted. Nothing was deleted.")
    own_files.remove_folder(folder)
    forget(home, key)


def imported_folder(home: Path, data_set: DataSet) -> Path | None:
    """Return the folder below `home/data` that the console wrote for a data set; None if the files are the user's."""
    if not data_set.is_imported:
        return None
    data = home / "data"
    below = {path.relative_to(data).parts[0] for path in data_set.folders.values() if path.is_relative_to(data)}
    if len(below) != 1:
        return None
    folder = data / below.pop()
    return folder if own_files.is_marked(folder, WRITER) else None


def _check(channels: Mapping[str, Path]) -> None:
    if TRAINING not in channels:
        raise UserError("A data set needs training images. Give the folder that holds one sub-folder per class.")
    if unknown := sorted(set(channels) - set(IMAGE_CHANNELS)):
        raise UserError(f"Unknown channel {unknown[0]!r}. Channels of images are {', '.join(IMAGE_CHANNELS)}.")
    names = list(channels)
    for index, one in enumerate(names):
        for other in names[index + 1 :]:
            if own_files.overlap(channels[one], channels[other]):
                raise UserError(
                    f"The folders of {one} and {other} overlap: {on_one_line(str(channels[one]))} and "
                    f"{on_one_line(str(channels[other]))}. Scores on images that were trained on mean nothing; give "
                    "separate folders."
                )


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].rstrip("-") or "data"


def _digest(paths: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(paths, sort_keys=True).encode()).hexdigest()[:8]
