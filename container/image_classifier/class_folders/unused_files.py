"""Files in class folders without an image's extension: which are images, and what the others are."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from image_classifier import imaging
from image_classifier.class_folders.storage import Storage
from image_classifier.contract.file_kinds import HEAD_BYTES, Kind, kind_of

NO_ENDING, OTHER_ENDING = "no extension", "another ending"
_PLAIN = re.compile(r"\.[a-z0-9_-]{1,12}")
_THREADS = 16
"""Reading the first bytes of a file is a round trip on network storage, and hardly any CPU time."""
_PART = 32
LINES = 10
"""Maximum number of log lines about extensions."""


def ending(path: str) -> str:
    """Return what a file's name ends in, lower case: `.txt`, `.jpg…` for `a.jpg?w=8`, or `no extension`."""
    name = path.rpartition("/")[2].lower()
    dot = name.rfind(".")
    if dot <= 0:
        return NO_ENDING
    if _PLAIN.fullmatch(name, dot):
        return name[dot:]
    found = _PLAIN.search(name)
    return f"{found[0]}…" if found else OTHER_ENDING


def _with(end: str) -> str:
    return {NO_ENDING: "without an extension", OTHER_ENDING: "with another ending"}.get(end, f"ending in {end}")


@dataclass(frozen=True)
class UnusedFiles:
    """Files that are not images, of one channel."""

    by_class: Mapping[str, Counter[str]] = field(default_factory=dict)
    """Class name to ending to count."""
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    """Ending to what the first such file is, where that is known."""
    sniffed: Counter[str] = field(default_factory=Counter)
    """Files that are used since their first bytes are an image's: ending to count."""

    def of_class(self, name: str) -> str:
        """Say what a class without images holds instead: `holds 2 file(s) ending in .txt`, or `is empty`."""
        found = self.by_class.get(name, Counter())
        parts = [f"{count} file(s) {_with(end)}{self._kind(end)}" for end, count in found.most_common(3)]
        return f"holds {', '.join(parts)}" if parts else "is empty"

    def _kind(self, end: str) -> str:
        kind = self.kinds.get(end)
        return f", {kind.name}: {kind.remedy}" if kind else ""

    def lines(self, other_files: Mapping[str, int]) -> list[str]:
        """Return at most `LINES` lines of log; `other_files` are those of all hosts."""
        found = []
        if self.sniffed:
            counts = ", ".join(f"{end} {count}" for end, count in self.sniffed.most_common(LINES))
            found = [
                f"Used {self.sniffed.total()} image(s) recognised by their first bytes, not their names: {counts}."
            ]
        endings = Counter(other_files).most_common()
        room = LINES - len(found)
        shown = endings if len(endings) <= room else endings[: room - 1]
        allowed = ", ".join(sorted(imaging.EXTENSIONS))
        found += [
            f"Ignored {count} file(s) {_with(end)}{self._kind(end) or f': only {allowed} are images'}."
            for end, count in shown
        ]
        if rest := endings[len(shown) :]:
            found.append(f"Ignored {sum(count for _, count in rest)} file(s) of {len(rest)} other endings.")
        return found


def sniff(paths: Sequence[str], storage: Storage) -> list[tuple[bool, Kind | None]]:
    """Return for each file, by its first bytes, whether it is a readable image, and else its kind.

    Raises:
        PlatformError: A file cannot be read.
    """

    def one(path: str) -> tuple[bool, Kind | None]:
        head = storage.read(Path(path), HEAD_BYTES)
        return imaging.sniff(head) is not None, kind_of(head, ending(path))

    # One task for several files: a task per file would cost more than the reading.
    parts = [paths[start : start + _PART] for start in range(0, len(paths), _PART)]
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="sniff") as pool:
        return [found for some in pool.map(lambda part: [one(path) for path in part], parts) for found in some]


def gather(labelled: Iterable[tuple[str, str, Kind | None]], sniffed: Iterable[str]) -> UnusedFiles:
    """Return the record of files as (class name, path, kind), and of the paths that are used."""
    by_class: dict[str, Counter[str]] = {}
    kinds: dict[str, Kind] = {}
    for name, path, kind in labelled:
        end = ending(path)
        by_class.setdefault(name, Counter())[end] += 1
        if kind:
            kinds.setdefault(end, kind)
    return UnusedFiles(by_class, kinds, Counter(map(ending, sniffed)))
