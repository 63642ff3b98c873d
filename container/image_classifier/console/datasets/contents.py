"""What lies in a data set's folders: the images by channel and class folder. No file is opened, except to sniff a few.

Reading 100,000 names takes some tenths of a second. The result is kept in memory for as long as no folder that holds
images has changed, by the folders' modification times.
"""

import hashlib
import os
import threading
import time
from array import array
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, count, repeat
from pathlib import Path

from image_classifier import imaging
from image_classifier.class_folders import channel_scan, channel_walk, unused_files
from image_classifier.class_folders.channel_scan import Scan
from image_classifier.class_folders.channel_walk import Findings
from image_classifier.class_folders.storage import Storage
from image_classifier.console.datasets import regular_files
from image_classifier.console.datasets.known import DataSet
from image_classifier.contract.file_kinds import HEAD_BYTES
from image_classifier.contract.names import normalised

UNLABELLED = ""
"""The class of an image that lies in no class folder."""
_SNIFFED = 2_000
"""Files without an image's ending whose first bytes are looked at; the others do not count as images."""
_ENDINGS = tuple(imaging.EXTENSIONS)
_KEPT = 4
_RECENT = 2.0
"""Seconds within which a folder can change again without another modification time, on coarse file systems."""


@dataclass(frozen=True)
class Channel:
    """The images of one channel."""

    name: str
    folder: Path
    class_names: tuple[str, ...]
    """Of its class folders, also of empty ones, sorted; composed form."""
    files: tuple[str, ...]
    """Paths below the folder, by class and name."""
    labels: "array[int]"
    """Index of each file's class; -1: it lies in no class folder."""
    unused: Mapping[str, int] = field(default_factory=dict)
    """Ending to count of the files that are not images."""
    seen: Findings = field(default_factory=Findings)
    """What the walk skipped: links out of the folder, pipes, unreadable folders."""
    manifest: str | None = None
    """Name of the manifest that lists the images and their labels, instead of class folders."""
    splits: Mapping[int, str] = field(default_factory=dict)
    """Split of each file that the manifest gives another one than the channel."""

    def split_of(self, row: int) -> str:
        """Return the channel that a file belongs to: this one, or the split that the manifest gives it."""
        return self.splits.get(row, self.name)

    def class_of(self, row: int) -> str:
        """Return the class of a file by its folder; `UNLABELLED` if it lies in none."""
        label = self.labels[row]
        return self.class_names[label] if label >= 0 else UNLABELLED

    def image(self, row: int) -> str:
        """Return the image's identity within the data set: its channel and its path."""
        return f"{self.name}/{self.files[row]}"

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """Row by path."""
        return dict(zip(self.files, count(), strict=False))

    @cached_property
    def inside(self) -> str:
        """The real path of the folder, which no image may lead out of."""
        return os.path.realpath(self.folder)


@dataclass(frozen=True)
class Contents:
    """The images of a data set."""

    channels: tuple[Channel, ...]
    stamps: Mapping[str, int]
    """Modification time, ns, of each folder that holds images, and of manifests."""
    is_settled: bool = True
    """Whether each of these folders would have another modification time if it changed now."""

    def __len__(self) -> int:
        """Return the number of images."""
        return sum(len(channel.files) for channel in self.channels)

    @cached_property
    def digest(self) -> str:
        """Changes when a folder does: sha256 of the folders and their modification times."""
        lines = (f"{folder}\0{stamp}\n" for folder, stamp in sorted(self.stamps.items()))
        return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """The class folders of all channels, sorted."""
        return tuple(sorted({name for channel in self.channels for name in channel.class_names}))

    def find(self, image: str) -> tuple[Channel, int] | None:
        """Return the channel of an image and its row there; None if the data set does not have it (any more)."""
        name, _, path = image.partition("/")
        channel = next((one for one in self.channels if one.name == name), None)
        row = channel.rows.get(path) if channel else None
        return None if channel is None or row is None else (channel, row)

    def images(self) -> Iterator[tuple[Channel, int]]:
        """Yield every image by its channel and row."""
        return chain.from_iterable(
            zip(repeat(channel), range(len(channel.files)), strict=False) for channel in self.channels
        )


_cache: OrderedDict[str, Contents] = OrderedDict()
_lock = threading.Lock()


def read(data_set: DataSet, fresh: bool = False) -> Contents:
    """Return what lies in a data set's folders; `fresh`: look at every folder again."""
    with _lock:
        kept = _cache.get(data_set.key)
        if kept is not None and not fresh and _is_current(kept, data_set):
            _cache.move_to_end(data_set.key)
            return kept
    found = _read(data_set)
    with _lock:
        _cache[data_set.key] = found
        _cache.move_to_end(data_set.key)
        while len(_cache) > _KEPT:
            _cache.popitem(last=False)
    return found


def _is_current(kept: Contents, data_set: DataSet) -> bool:
    if [str(channel.folder) for channel in kept.channels] != list(data_set.channels.values()):
        return False
    return kept.is_settled and all(_modified(folder) == stamp for folder, stamp in kept.stamps.items())


def _modified(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116 - text, for thousands of folders
    except OSError:
        return 0


def _read(data_set: DataSet) -> Contents:
    started = time.time_ns()
    channels = tuple(_channel(name, folder) for name, folder in data_set.folders.items())
    folders = {str(channel.folder) for channel in channels}
    for channel in channels:
        folders |= {f"{channel.folder}/{below}" for below in {path.rpartition("/")[0] for path in channel.files}}
        folders |= {f"{channel.folder}/{name}" for name in channel.class_names}
    folders |= {f"{channel.folder}/{channel.manifest}" for channel in channels if channel.manifest}
    stamps = {folder: _modified(folder) for folder in folders}
    # A folder that has just changed may change again unnoticed: look at it again next time.
    settled = all(started - stamp > _RECENT * 1e9 for stamp in stamps.values())
    return Contents(channels, stamps, settled)


def _channel(name: str, folder: Path) -> Channel:
    seen = Findings(storage=Storage(pauses=()))
    inside = os.path.realpath(folder)
    top = channel_walk.entries(str(folder), inside, seen) if folder.is_dir() else []
    if found := channel_scan.by_manifest(folder, name, [entry.name for entry in top if not entry.is_folder], seen):
        return _of_manifest(found, seen)
    by_class: dict[str, list[str]] = {}
    loose = [entry.path for entry in top if not entry.is_folder]
    for entry in top:
        if entry.is_folder:
            by_class.setdefault(normalised(entry.name), []).extend(channel_walk.files(entry.path, inside, seen))
    names = tuple(sorted(by_class))
    sniffed, below = _Sniffing(inside), len(str(folder)) + 1
    files: list[str] = []
    labels = array("i")
    for label, some in [*enumerate(by_class[name] for name in names), (-1, loose)]:
        images = sniffed.images(some)
        files += [path[below:] for path in images]
        labels.extend([label] * len(images))
    return Channel(name, folder, names, tuple(files), labels, dict(sniffed.unused), seen)


def _of_manifest(found: Scan, seen: Findings) -> Channel:
    listing = found.listing
    return Channel(
        found.channel,
        listing.folder,
        listing.class_names,
        tuple(map(listing.name, listing.examples)),
        array("i", [example.label for example in listing.examples]),
        seen=seen,
        manifest=found.manifest,
        splits={row: one.split for row, one in enumerate(listing.examples) if one.split not in (None, found.channel)},
    )


class _Sniffing:
    """Separates images from other files, by their names and the first bytes of a few."""

    def __init__(self, inside: str) -> None:
        self._inside, self._left = inside, _SNIFFED
        self.unused: Counter[str] = Counter()

    def images(self, paths: Sequence[str]) -> list[str]:
        # Lower-case endings, which most files have, need no call.
        return [
            path
            for path in paths
            if path.endswith(_ENDINGS) or channel_scan.ends_like_an_image(path) or self._is_image(path)
        ]

    def _is_image(self, path: str) -> bool:
        self._left -= 1
        try:
            if self._left >= 0 and imaging.sniff(regular_files.head(Path(path), self._inside, HEAD_BYTES)):
                return True
        except regular_files.UnusableFileError:
            pass
        self.unused[unused_files.ending(path)] += 1
        return False
