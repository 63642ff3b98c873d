"""Keep computed features on disk, a file for a contiguous part of the images, for a job that is started again."""

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
from image_classifier.training.data.dataset import Example
from image_classifier.training.progress import log

_STORED = np.dtype("<f4")
_SUFFIX = ".features"
_WRITTEN = re.compile(rf"[0-9a-z]+-\d{{9,}}-\d{{9,}}(?:{_SUFFIX})?(?:\.partial)?")
"""The names of the files that this module writes; whatever else lies in the folder is left alone."""


@dataclass(frozen=True)
class Chunk:
    """What is known of consecutive images, the first of which has the index `start`."""

    start: int
    features: NDArray[np.float32]
    """(n, feature count); the row of an unreadable image means nothing."""
    unreadable: Mapping[int, str] = field(default_factory=dict)
    """Index among all images to the reason."""

    @property
    def stop(self) -> int:
        """The index after the last."""
        return self.start + len(self.features)


class _Damaged(Exception):  # noqa: N818 - it is repaired
    pass


def network_key(info: ModelInfo, resize_method: str, engine: str = "tensorflow") -> str:
    """Return a name for how images become features; features of one name may stand beside each other.

    `engine` is what computes them, precision included where it is not float32.
    """
    what = [info.sha256, info.image_size, info.pixel_scaling_method, info.signature, info.output_key]
    return hashlib.sha256(json.dumps([*what, resize_method, engine]).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class ChunkFolder:
    """The chunks of one part of the data, such as the training images.

    A file begins with the sha256 of what follows: a line of JSON, which says what the rows belong to, and the rows.
    """

    folder: Path
    key: str
    """See `network_key`."""

    def restore(self, examples: Sequence[Example], part: slice) -> Iterator[Chunk]:
        """Yield the whole chunks that reach into `part` of `examples`, and remove the other chunks in the folder.

        Chunks of another key or of other images are of no use; corrupt ones are said to be.
        """
        for path in _written(self.folder):
            bounds = _bounds(path, self.key)
            if bounds and (bounds[1] <= part.start or bounds[0] >= part.stop):
                continue  # another host's
            chunk = None
            try:
                chunk = self._read(path, examples) if bounds else None
            except (_Damaged, OSError) as error:
                log(f"Features in {path} are corrupt ({error}); they are computed again.")
            if chunk:
                yield chunk
            else:
                path.unlink(missing_ok=True)

    def write(self, chunk: Chunk, examples: Sequence[Example]) -> None:
        """Write a chunk so that it is there whole or not at all.

        Raises:
            OSError: The disk rejects it; the error names the file.
        """
        path = self.folder / f"{self.key}-{chunk.start:09}-{chunk.stop:09}{_SUFFIX}"
        header = {
            "images": _fingerprint(examples[chunk.start : chunk.stop]),
            "unreadable": list(chunk.unreadable.items()),
        }
        content = json.dumps(header).encode() + b"\n" + chunk.features.astype(_STORED, copy=False).tobytes()
        self.folder.mkdir(parents=True, exist_ok=True)
        durable_files.write_bytes(path, hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
        durable_files.sync_names(self.folder)

    def _read(self, path: Path, examples: Sequence[Example]) -> Chunk | None:
        checksum, _, content = path.read_bytes().partition(b"\n")
        if hashlib.sha256(content).hexdigest().encode() != checksum:
            raise _Damaged("the checksum differs")
        start, stop = _bounds(path, self.key) or (0, 0)
        line, _, rows = content.partition(b"\n")
        header = json.loads(line)
        if stop > len(examples) or header["images"] != _fingerprint(examples[start:stop]):
            return None
        features = np.frombuffer(rows, _STORED).reshape(stop - start, -1).astype(np.float32, copy=False)
        return Chunk(start, features, {int(index): reason for index, reason in header["unreadable"]})


def remove(folder: Path) -> None:
    """Remove the chunks of a folder and of the folders in it, and each of these folders that is empty then."""
    for part in (*_entries(folder), folder):
        if part.is_symlink() or not part.is_dir():
            continue
        for path in _written(part):
            path.unlink(missing_ok=True)
        # It stays when somebody else has put something there.
        with contextlib.suppress(OSError):
            part.rmdir()


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() and not folder.is_symlink() else []


def _written(folder: Path) -> list[Path]:
    return [path for path in _entries(folder) if _WRITTEN.fullmatch(path.name) and path.is_file()]


def _bounds(path: Path, key: str) -> tuple[int, int] | None:
    """Return which images a chunk is of, by its name; None when it is no chunk of this key."""
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
