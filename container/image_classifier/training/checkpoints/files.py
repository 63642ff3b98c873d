"""The files of one checkpoint: written with their checksums, and rejected when one of them is not as it was written.

A folder holds `state.json`, one `GROUP.npz` a group of arrays (what `numpy.savez` writes, which `numpy.load` reads
without pickle) and, written last, `manifest.json` with the size and the sha256 of each of the others.
"""

import hashlib
import json
import os
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from image_classifier import durable_files

Arrays = Mapping[str, NDArray[Any]]

_MANIFEST, _STATE = "manifest.json", "state.json"
_GROUP_FILE = re.compile(r"([a-z][a-z0-9_]*)\.npz")
_FORMAT = 1
_PLAIN_KINDS = "biuf"
"""Kinds of NumPy types that an .npy file names so that any program can read them; `V`, as of bfloat16, is none."""


class Corrupt(Exception):  # noqa: N818 - it is handled, by using the checkpoint before
    """The files are not as they were written; the text says what is wrong with which, without a full stop."""


@dataclass(frozen=True)
class Contents:
    """What a checkpoint's folder holds."""

    state: Mapping[str, Any]
    groups: Mapping[str, Arrays]


@dataclass(frozen=True)
class _Record:
    """What the manifest says of a file."""

    sha256: str
    size: int


class _Hashed:
    """A file that is hashed while it is written, front to back; zipfile writes so into what cannot seek."""

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
    """Write into a new folder and have everything on the disk before returning.

    Raises:
        OSError: The disk rejects it; `filename` names the file. What was written so far is still there.
        TypeError, ValueError: The state is not JSON-able, a group's name is none, an array has no plain type.
    """
    folder.mkdir()
    state = json.dumps(contents.state).encode()
    files = {_STATE: _write_file(folder / _STATE, lambda file: file.write(state))}
    for group, arrays in contents.groups.items():
        name = f"{group}.npz"
        if not _GROUP_FILE.fullmatch(name):
            raise ValueError(f"{group!r} names no group of arrays; expected small letters, digits and underscores.")
        files[name] = _write_file(folder / name, partial(_write_arrays, arrays=arrays))
    listed = {name: asdict(record) for name, record in files.items()}
    # Without blanks there is no bit whose flip would leave the same manifest.
    manifest = json.dumps({"format": _FORMAT, "files": listed}, separators=(",", ":")).encode()
    _write_file(folder / _MANIFEST, lambda file: file.write(manifest))
    durable_files.sync_names(folder)


def _write_file(path: Path, fill: Callable[[_Hashed], object]) -> _Record:
    with durable_files.new_file(path) as file:
        hashed = _Hashed(file)
        fill(hashed)
    return hashed.record()


def _write_arrays(file: _Hashed, arrays: Arrays) -> None:
    # Not numpy.savez, whose own parameters take some names away from the arrays.
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            if array.dtype.kind not in _PLAIN_KINDS:
                raise ValueError(f"The array {name} is of type {array.dtype}; expected bool, integer or float.")
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def is_written(path: Path) -> bool:
    """Say whether a checkpoint has such a file, by its name and kind."""
    known = path.name in (_MANIFEST, _STATE) or _GROUP_FILE.fullmatch(path.name) is not None
    return known and path.is_file() and not path.is_symlink()


def read(folder: Path) -> Contents:
    """Return what was written, after every file has been found to be as it was.

    Raises:
        Corrupt: One is not: missing, shorter, longer, changed, or of another format.
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
        raise Corrupt(f"{path.name} is no manifest of format {_FORMAT}") from error
    return files


def _check(path: Path, record: _Record) -> None:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size != record.size:
            raise Corrupt(f"{path.name} has {size:,} bytes, and the manifest says {record.size:,}")
        if hashlib.file_digest(file, "sha256").hexdigest() != record.sha256:
            raise Corrupt(f"{path.name} does not have the checksum that the manifest says")


def _read_arrays(path: Path) -> Arrays:
    try:
        with np.load(path, allow_pickle=False) as found:
            return dict(found)
    except (ValueError, zipfile.BadZipFile) as error:
        raise Corrupt(f"{path.name} holds no arrays") from error
