"""Walk the folders of a channel: each file once, links included; everything that is skipped is recorded."""

import os
import stat
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from image_classifier.class_folders.storage import Storage
from image_classifier.contract.errors import PlatformError
from image_classifier.contract.system_names import UNUSUAL_FIRST, is_ignored


@dataclass
class Findings:
    """Everything besides regular files; paths are text as the file system returns it."""

    ignored: Counter[str] = field(default_factory=Counter)
    """Hidden names and those of systems, see `contract.system_names`."""
    not_followed: list[str] = field(default_factory=list)
    """Links to folders that were walked already, or that contain the link."""
    broken: list[str] = field(default_factory=list)
    """Links whose target does not exist."""
    special: list[str] = field(default_factory=list)
    """Neither files nor folders: pipes, sockets, devices."""
    out: list[tuple[str, str]] = field(default_factory=list)
    """Links out of the channel, and their targets."""
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    """Folders that cannot be listed, and why."""
    storage: Storage = field(default_factory=Storage)


class Entry(NamedTuple):
    """A directory entry with its kind."""

    name: str
    path: str
    is_folder: bool
    target: str | None = None
    """The real path of a link's target."""


def entries(folder: str, inside: str, seen: Findings) -> list[Entry]:
    """Return the files and folders in a folder, sorted by name; record everything else in `seen`.

    `inside` is the real path of the channel.
    """
    # By name, which is the first field and unique.
    return sorted(_usable(_listed(folder, seen), inside, seen))


def _listed(folder: str, seen: Findings) -> list[os.DirEntry[str]]:
    # Directory entries have the kind of a file, so no file is queried: on network storage that is a round trip each.
    try:
        return seen.storage.retry(lambda: _names(folder), folder)
    except PlatformError as error:
        reason = getattr(error.__cause__, "strerror", None) or type(error.__cause__).__name__
        seen.unreadable.append((folder, reason))
        return []


def _names(folder: str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as found:
        return list(found)


def _usable(found: Iterable[os.DirEntry[str]], inside: str, seen: Findings) -> Iterator[Entry]:
    for entry in found:
        name = entry.name
        if is_ignored(name):
            seen.ignored["._*" if name.startswith("._") else name] += 1
        elif entry.is_file(follow_symlinks=False):  # first, as nearly all are
            yield Entry(name, entry.path, False)
        elif entry.is_dir(follow_symlinks=False):
            yield Entry(name, entry.path, True)
        elif entry.is_symlink():
            yield from _followed(entry, inside, seen)
        else:
            seen.special.append(entry.path)


def _followed(entry: os.DirEntry[str], inside: str, seen: Findings) -> Iterator[Entry]:
    target = os.path.realpath(entry.path)
    if target != inside and not target.startswith(f"{inside}/"):
        seen.out.append((entry.path, target))
        return
    try:
        mode = os.stat(entry.path).st_mode  # noqa: PTH116 - as text; a path object would be made for this alone
    except OSError:
        seen.broken.append(entry.path)
        return
    if stat.S_ISDIR(mode) or stat.S_ISREG(mode):
        yield Entry(entry.name, entry.path, stat.S_ISDIR(mode), target)
    else:
        seen.special.append(entry.path)


def files(folder: str, inside: str, seen: Findings) -> list[str]:
    """Return the paths of all files below a class folder, in the order of the paths' parts.

    A link to a folder is followed once: its files count at the link, unless they were found before; a link to a folder
    that contains it is not followed.
    """
    root = os.path.realpath(folder)
    walked = {root}
    links: deque[Entry] = deque()
    found = _walk(folder, root, inside, walked, links, seen)
    followed = bool(links)
    # After everything in the folder itself, so that no file is found through a link first.
    while links:
        link = links.popleft()
        target = str(link.target)
        if target in walked or f"{root}/".startswith(f"{target}/"):
            seen.not_followed.append(link.path)
        else:
            walked.add(target)
            found += _walk(link.path, target, inside, walked, links, seen)
    return sorted(found, key=lambda path: path.split("/")) if followed else found


def _walk(folder: str, real: str, inside: str, walked: set[str], links: deque[Entry], seen: Findings) -> list[str]:
    found: list[str] = []
    # No recursion: folders may be nested deeper than Python's stack.
    pending: list[list[str] | tuple[str, str]] = [(folder, real)]
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            found += item
            continue
        listed = _listed(item[0], seen)
        plain = [
            entry.path
            for entry in listed
            if (entry.name[0] not in UNUSUAL_FIRST or not is_ignored(entry.name))
            and entry.is_file(follow_symlinks=False)
        ]
        if len(plain) == len(listed):
            # Most folders hold nothing but images: 100,000 of them take a third of the time of one entry each.
            found += sorted(plain)
            continue
        below: list[list[str] | tuple[str, str]] = [[]]
        for entry in sorted(_usable(listed, inside, seen)):
            if not entry.is_folder:
                assert isinstance(below[-1], list)
                below[-1].append(entry.path)
            elif entry.target is not None:
                links.append(entry)
            elif (path := f"{item[1]}/{entry.name}") not in walked:
                walked.add(path)
                below += [(entry.path, path), []]
        pending.extend(reversed(below))
    return found
