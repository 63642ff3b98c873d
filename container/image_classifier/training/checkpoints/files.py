"""The files of one checkpoint: written with checksums, and verified when read.

A folder holds `state.json`, one `GROUP.npz` per group of arrays (see `array_archive`) and, written last,
`manifest.json` with the size and sha256 of the others.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from image_classifier import durable_files
from image_classifier.training.checkpoints import array_archive
from image_classifier.training.checkpoints.array_archive import Arrays

_MANIFEST, _STATE = "manifest.json", "state.json"
_GROUP_FILE = re.compile(r"([a-z][a-z0-9_]*)\.npz")
_FORMAT = 1


class Corrupt(Exception):  # noqa: N818 - handled by using the previous checkpoint
    """The files are not as they were written; the text names the file and the problem, without a full stop."""


@dataclass(frozen=True)
class Contents:
    """Contents of a checkpoint's folder."""

    state: Mapping[str, Any]
    groups: Mapping[str, Arrays]


@dataclass(frozen=True)
class _Record:
    """The manifest's entry for a file."""

    sha256: str
    size: int


class _Hashed:
    """A file that is hashed while it is written; without `seek`, so that zipfile writes it front to back."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._sha256, self._size = file, hashlib.sha256(), 0

    def write(self, chunk: bytes) -> int:
        self._sha256.update(chunk)
        self._size += len(chunk)
        return self._file.write(chunk)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def record(self) -> _Record:
        return _Record(self._sha256.hexdigest(), self._size)


def write(folder: Path, contents: Contents) -> None:
    """Write into a new folder and flush everything to the disk before returning.

    Raises:
        OSError: The disk is full or not writable; `filename` names the file. What was written so far is still there.
        TypeError, ValueError: The state is not JSON-able, or a group's name or the type of an array is not allowed.
    """
    folder.mkdir()
    state = json.dumps(contents.state).encode()
    files = {_STATE: _write_file(folder / _STATE, lambda file: file.write(state))}
    for group, arrays in contents.groups.items():
        name = f"{group}.npz"
        if not _GROUP_FILE.fullmatch(name):
            raise ValueError(
                f"Invalid name {group!r} of a group of arrays; expected lower-case letters, digits and underscores."
            )
        files[name] = _write_file(folder / name, partial(array_archive.write, arrays=arrays))
    records = {name: asdict(record) for name, record in files.items()}
    # No whitespace: otherwise some flipped bits would leave the same manifest.
    manifest = json.dumps({"format": _FORMAT, "files": records}, separators=(",", ":")).encode()
    _write_file(folder / _MANIFEST, lambda file: file.write(manifest))
    durable_files.sync_names(folder)


def _write_file(path: Path, fill: Callable[[_Hashed], object]) -> _Record:
    with durable_files.new_file(path) as file:
        hashed = _Hashed(file)
        fill(hashed)
    return hashed.record()


def is_written(path: Path) -> bool:
    """Return whether `write` creates such a file, by its name and kind."""
    known = path.name in (_MANIFEST, _STATE) or _GROUP_FILE.fullmatch(path.name) is not None
    return known and path.is_file() and not path.is_symlink()


def read(folder: Path) -> Contents:
    """Return the contents after verifying every file.

    Raises:
        Corrupt: A file is missing, truncated, changed, or of another format.
    """
    try:
        files = _read_manifest(folder / _MANIFEST)
        for name, record in files.items():
            _check(folder / name, record)
        state = json.loads((folder / _STATE).read_bytes())
        groups = {match[1]: name for name in files if (match := _GROUP_FILE.fullmatch(name))}
        return Contents(state, {group: _read_arrays(folder / name) for group, name in groups.items()})
    except FileNotFoundError as error:
        raise Corrupt(f"{Path(error.filename).name} is missing") from error
    except OSError as error:
        raise Corrupt(f"{Path(error.filename or folder).name} cannot be read: {error.strerror}") from error


def _read_manifest(path: Path) -> dict[str, _Record]:
    try:
        manifest = json.loads(path.read_bytes())
        files = {name: _Record(str(one["sha256"]), int(one["size"])) for name, one in manifest["files"].items()}
        groups = files.keys() - {_STATE}
        if manifest["format"] != _FORMAT or len(groups) == len(files) or not all(map(_GROUP_FILE.fullmatch, groups)):
            raise ValueError
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Corrupt(f"{path.name} is not a manifest of format {_FORMAT}") from error
    return files


def _check(path: Path, record: _Record) -> None:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size != record.size:
            raise Corrupt(f"{path.name} has {size:,} bytes, expected {record.size:,} by the manifest")
        if hashlib.file_digest(file, "sha256").hexdigest() != record.sha256:
            raise Corrupt(f"{path.name} does not match its checksum in the manifest")


def _read_arrays(path: Path) -> Arrays:
    try:
        return array_archive.read(path)
    except ValueError as error:
        raise Corrupt(f"{path.name} is not an archive of arrays") from error
