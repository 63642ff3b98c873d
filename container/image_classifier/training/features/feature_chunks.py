"""Computed features on disk for a resumed job, one file per contiguous chunk of the images."""

import contextlib
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from image_classifier import durable_files
from image_classifier.artifacts import ModelInfo
from image_classifier.class_folders.listing import Example
from image_classifier.contract import imaging_versions
from image_classifier.training.checkpoints import array_archive
from image_classifier.training.progress import log

_SUFFIX = ".features"
_WRITTEN = re.compile(rf"[0-9a-z]+-\d{{9,}}-\d{{9,}}(?:{_SUFFIX})?(?:\.partial)?")
"""The names of files that this module writes; other files in the folder are left alone."""


@dataclass(frozen=True)
class Chunk:
    """Features of consecutive images, the first of which has the index `start`."""

    start: int
    features: NDArray[np.float32]
    """(n, feature count); the row of an unreadable image is undefined."""
    unreadable: Mapping[int, str] = field(default_factory=dict)
    """Index among all images to the reason."""

    @property
    def stop(self) -> int:
        """The index after the last image."""
        return self.start + len(self.features)


class _Corrupt(Exception):  # noqa: N818 - repaired by computing the features again
    pass


def network_key(info: ModelInfo, resize_method: str, engine: str = "tensorflow") -> str:
    """Return a key of everything that determines the features of an image; equal keys are compatible.

    `engine` computes them; it includes the precision if that is not float32.
    """
    inputs = [info.sha256, info.image_size, info.pixel_scaling_method, info.signature, info.output_key]
    return hashlib.sha256(json.dumps([*inputs, resize_method, imaging_versions.VERSION, engine]).encode()).hexdigest()[
        :16
    ]


@dataclass(frozen=True)
class ChunkFolder:
    """The chunks of one split of the data, such as the training images.

    A file is a line with the sha256 of the rest, then an archive of the rows (see `array_archive`), whose metadata
    identify the images.
    """

    folder: Path
    key: str
    """See `network_key`."""

    def restore(self, examples: Sequence[Example], part: slice) -> Iterator[Chunk]:
        """Yield the intact chunks that overlap `part` of `examples`, and remove unusable ones from the folder.

        Unusable are chunks of another key, of other images, and corrupt ones, which are logged.
        """
        for path in _written(self.folder):
            bounds = _bounds(path, self.key)
            if bounds and (bounds[1] <= part.start or bounds[0] >= part.stop):
                continue  # belongs to another host
            chunk = None
            try:
                chunk = self._read(path, examples) if bounds else None
            except (_Corrupt, OSError) as error:
                log(f"Features in {path} are corrupt ({error}); computing them again.")
            if chunk:
                yield chunk
            else:
                path.unlink(missing_ok=True)

    def write(self, chunk: Chunk, examples: Sequence[Example]) -> None:
        """Write a chunk atomically.

        Raises:
            OSError: The disk is full or not writable; the error names the file.
        """
        path = self.folder / f"{self.key}-{chunk.start:09}-{chunk.stop:09}{_SUFFIX}"
        metadata = {
            "images": _fingerprint(examples[chunk.start : chunk.stop]),
            "unreadable": list(chunk.unreadable.items()),
        }
        content = array_archive.to_bytes({"features": chunk.features}, metadata)
        self.folder.mkdir(parents=True, exist_ok=True)
        durable_files.write_bytes(path, hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
        durable_files.sync_names(self.folder)

    def _read(self, path: Path, examples: Sequence[Example]) -> Chunk | None:
        checksum, _, content = path.read_bytes().partition(b"\n")
        if hashlib.sha256(content).hexdigest().encode() != checksum:
            raise _Corrupt("the checksum differs")
        start, stop = _bounds(path, self.key) or (0, 0)
        arrays, metadata = array_archive.from_bytes(content)
        if stop > len(examples) or metadata["images"] != _fingerprint(examples[start:stop]):
            return None
        return Chunk(start, arrays["features"], {int(index): reason for index, reason in metadata["unreadable"]})


def remove(folder: Path) -> None:
    """Remove the chunks in a folder and its sub-folders, and then the folders that are empty."""
    for part in (*_entries(folder), folder):
        if part.is_symlink() or not part.is_dir():
            continue
        for path in _written(part):
            path.unlink(missing_ok=True)
        # A folder with other files in it stays.
        with contextlib.suppress(OSError):
            part.rmdir()


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() and not folder.is_symlink() else []


def _written(folder: Path) -> list[Path]:
    return [path for path in _entries(folder) if _WRITTEN.fullmatch(path.name) and path.is_file()]


def _bounds(path: Path, key: str) -> tuple[int, int] | None:
    """Return the range of images of a chunk, by its name; None if it is not a chunk of this key."""
    words = path.stem.split("-")
    if path.suffix != _SUFFIX or len(words) != 3 or words[0] != key or not (words[1] + words[2]).isdecimal():
        return None
    return int(words[1]), int(words[2])


def _fingerprint(examples: Sequence[Example]) -> str:
    digest = hashlib.sha256()
    for example in examples:
        try:
            size = example.path.stat().st_size
        except OSError:
            size = -1
        digest.update(f"{example.path}\0{example.label}\0{size}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()
