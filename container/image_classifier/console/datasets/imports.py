"""Imported data sets: from an uploaded archive or folder, an S3 address, or sample data.

An import writes below `home/data/.imports/<id>/content`. Only when it is whole does that folder get its name in
`home/data` and become known, so that half a data set never looks whole. What a killed import leaves is shown as
unfinished, and can be resumed or removed.
"""

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from image_classifier import durable_files, own_files
from image_classifier.console import tasks
from image_classifier.console.datasets import folders, known, zip_files
from image_classifier.console.datasets.known import TRAINING, WRITER, DataSet, Source
from image_classifier.console.tasks import State, Status
from image_classifier.contract.errors import UserError
from image_classifier.contract.names import on_one_line
from image_classifier.contract.system_names import is_ignored
from image_classifier.photographs import sample_sets

_MODULE = "image_classifier.console.datasets.import_process"
_FOLDER = ".imports"
_RECORD, CONTENT, ARCHIVE = "import.json", "content", "upload.zip"
_KEY = "data-set.txt"
"""The key of the data set that an import became."""
_ID = re.compile(r"[0-9a-f]{12}")
_BLOCK = 1 << 20
_SPARE_BYTES = 1 << 30
"""Free space that an upload leaves on the disk."""


@dataclass(frozen=True)
class Import:
    """An import."""

    id: str
    name: str
    source: Source
    origin: str
    """S3 address, name of the sample, or of the uploaded file."""


@dataclass(frozen=True)
class Shown:
    """An import and what it is doing."""

    what: Import
    status: Status
    data_set: str | None
    """The key of the data set that it has become."""
    is_here: bool = True
    """Whether everything that the browser had to send is here."""

    @property
    def is_resumable(self) -> bool:
        """Whether its process can do the work again; an upload that was cut off must be sent again."""
        return self.status.state in (State.FAILED, State.INTERRUPTED) and self.is_here


def folder(home: Path, id_: str) -> Path:
    """Return the folder of an import.

    Raises:
        UserError: The import does not exist.
    """
    found = home / "data" / _FOLDER / id_
    if not _ID.fullmatch(id_) or not (found / _RECORD).is_file():
        raise UserError("This import does not exist any more.")
    return found


def begin(home: Path, name: str, source: Source, origin: str) -> Import:
    """Create an import with an empty folder for its content; `start` starts its process.

    Raises:
        OSError: The disk is full or not writable.
    """
    what = Import(secrets.token_hex(6), on_one_line(name).strip()[:80] or "data", source, on_one_line(origin)[:500])
    target = home / "data" / _FOLDER / what.id
    (target / CONTENT).mkdir(parents=True)
    durable_files.write_json(target / _RECORD, asdict(what))
    return what


def start(home: Path, id_: str) -> None:
    """Start, or resume, the process of an import.

    Raises:
        UserError, OSError: The import does not exist; or see `tasks.start`.
    """
    target = folder(home, id_)
    tasks.start(target, _MODULE, [str(target), str(home), id_])


def every(home: Path) -> list[Shown]:
    """Return the imports that have not become a data set, the latest first."""
    above = home / "data" / _FOLDER
    ids = sorted(above.iterdir(), key=_age, reverse=True) if above.is_dir() else []
    found = (find(home, path.name) for path in ids)
    return [one for one in found if one is not None and one.data_set is None]


def find(home: Path, id_: str) -> Shown | None:
    """Return an import; None if it does not exist."""
    try:
        path = folder(home, id_)
        read = json.loads((path / _RECORD).read_bytes())
        what = Import(read["id"], read["name"], Source(read["source"]), read["origin"])
    except (UserError, OSError, ValueError, KeyError):
        return None
    # A folder without a process is an upload that has not ended.
    status = tasks.status(path) or Status(State.INTERRUPTED)
    key = path / _KEY
    is_here = what.source is not Source.UPLOAD or (path / ARCHIVE).is_file()
    return Shown(what, status, key.read_text(encoding="utf-8") if key.is_file() else None, is_here)


def remove(home: Path, id_: str) -> None:
    """Cancel an import, and remove what it has written so far.

    Raises:
        UserError: The import does not exist.
    """
    target = folder(home, id_)
    tasks.cancel(target)
    own_files.remove_folder(target)


def receive(stream: BinaryIO, target: Path, limit: int) -> int:
    """Write an upload to a file, which appears when it is whole, and return its bytes.

    Raises:
        UserError: It has more than `limit` bytes, or the disk has too little space.
        OSError: The connection or the disk failed.
    """
    written = 0
    free = shutil.disk_usage(target.parent).free - _SPARE_BYTES
    with durable_files.replacing(target) as partial, partial.open("xb") as file:
        while block := stream.read(_BLOCK):
            written += len(block)
            if written > min(limit, free):
                raise UserError(
                    f"The upload has more than {min(limit, max(free, 0)):,} bytes, the limit or the free space of the "
                    "disk. Give the folder's path instead, which copies nothing."
                )
            file.write(block)
    return written


def place_of_upload(home: Path, id_: str, path: str) -> Path:
    """Return where a file of an uploaded folder is written: `<class>/<image>` below the import's content.

    Raises:
        UserError: The import does not exist, the path leads out of it, or no file can have the name.
    """
    content = folder(home, id_) / CONTENT
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\0" in path or "\\" in path or len(parts) > 32:
        raise UserError(f"The file {on_one_line(path)[:200]!r} has a path that cannot be used.")
    if any(len(os.fsencode(part)) > 255 for part in parts):
        raise UserError(f"The file {on_one_line(path)[:200]!r} has a name of more than 255 bytes.")
    target = content.joinpath(*parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def is_wanted(path: str) -> bool:
    """Return whether a file of an uploaded folder is kept: not hidden, and not a system's own."""
    return not any(map(is_ignored, PurePosixPath(path).parts))


def finish(home: Path, what: Import) -> DataSet:
    """Give the whole content of an import its name, and make it known.

    Raises:
        UserError: It holds no image.
        OSError: The disk failed.
    """
    path = folder(home, what.id)
    content = folders.unwrapped(path / CONTENT)
    if not any(content.iterdir()):
        raise UserError("Nothing was imported. Choose a folder that holds one sub-folder per class.")
    own_files.mark(content, WRITER)
    durable_files.sync_names(content)
    target = next(one for one in _names(home / "data", what.name) if not os.path.lexists(one))
    durable_files.rename_folder(content, target)
    channels = folders.channels_of(target) or {TRAINING: target}
    licence = sample_sets.SAMPLES[what.origin].licence if what.source is Source.SAMPLE else ""
    data_set = known.add(home, what.name, channels, what.source, what.origin, licence)
    (path / ARCHIVE).unlink(missing_ok=True)
    durable_files.write_bytes(path / _KEY, data_set.key.encode())
    return data_set


def forget(home: Path, id_: str) -> None:
    """Remove the folder of an import that has become a data set.

    Raises:
        UserError: The import does not exist.
    """
    own_files.remove_folder(folder(home, id_))


def unpack(home: Path, what: Import, reporter: tasks.Reporter) -> None:
    """Unpack an uploaded archive into the import's content.

    Raises:
        UserError, PlatformError: See `zip_files.unpack`.
    """
    path = folder(home, what.id)
    reporter.begin("Unpacking")
    # What an interrupted process wrote.
    own_files.remove_folder(path / CONTENT)
    (path / CONTENT).mkdir()
    zip_files.unpack(path / ARCHIVE, path / CONTENT, lambda done, total: reporter.report("Unpacking", done, total))


def _names(data: Path, name: str) -> Iterator[Path]:
    plain = re.sub(r"[^\w.-]+", "-", name).strip(".-_")[:60] or "data"
    yield data / plain
    yield from (data / f"{plain}-{number}" for number in range(2, 10_000))


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
