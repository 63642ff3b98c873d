"""Label overlays: what the user changed about the classes of a data set, without touching its files.

`home/labels/<key>.jsonl` is append-only and the truth. Each line is one edit, an undo or a redo, and the number of
lines is the revision. A line is on the disk before the edit counts. An edit says on which revision it is based; where
another tab was faster, it is rejected and nothing is lost.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from image_classifier import durable_files
from image_classifier.contract.errors import UserError
from image_classifier.contract.names import has_control_characters, is_utf8, normalised
from image_classifier.contract.system_names import is_ignored

MOST_IMAGES = 200_000
"""Images of one edit."""
_MOST_NAME_BYTES = 255
"""Of a folder's name on Linux."""


class Action(StrEnum):
    """What an edit does with its images."""

    MOVE = "move"
    """Give them another class, which may be a new one."""
    EXCLUDE = "exclude"
    """Leave them out of training and of scores."""
    RESTORE = "restore"
    """Give them back the class of their folder."""


@dataclass(frozen=True)
class Edit:
    """A change of some images."""

    action: Action
    images: tuple[str, ...]
    """`<channel>/<path>`, see `contents.Channel.image`."""
    to: str = ""
    """The class of a move."""
    reason: str = ""
    """Why, for the reader of the file: `duplicate`."""


@dataclass(frozen=True)
class Overlay:
    """The labels that differ from the folders."""

    revision: int = 0
    labels: Mapping[str, str | None] = field(default_factory=dict)
    """Class by image; None: excluded. Images that are missing here have the class of their folder."""
    undoable: Edit | None = None
    """The edit that an undo takes back."""
    redoable: Edit | None = None

    def class_of(self, image: str, folder_class: str) -> str | None:
        """Return an image's class; None if it is excluded."""
        return self.labels.get(image, folder_class)


_EMPTY = Overlay()
"""One object, so that what is kept for an overlay is found again."""


class ChangedMeanwhileError(UserError):
    """An edit that is based on an earlier revision."""


def path(home: Path, key: str) -> Path:
    """Return the file of a data set's overlay."""
    return home / "labels" / f"{key}.jsonl"


def read(home: Path, key: str) -> Overlay:
    """Return the overlay of a data set; an empty one if nothing was ever changed.

    Raises:
        UserError: The file has a line that is not of an overlay.
    """
    file = path(home, key)
    try:
        found = file.stat()
    except FileNotFoundError:
        return _EMPTY
    return _read(str(file), found.st_size, found.st_mtime_ns)


def edit(home: Path, key: str, change: Edit, based_on: int) -> Overlay:
    """Append an edit and return the new overlay.

    Raises:
        ChangedMeanwhileError: The overlay has another revision than `based_on`.
        UserError: No image, too many, or a class name that no folder can have.
        OSError: The disk is full or not writable; the overlay is unchanged.
    """
    if not change.images:
        raise UserError("No image is selected. Select at least one.")
    if len(change.images) > MOST_IMAGES:
        raise UserError(f"{len(change.images):,} images are selected; at most {MOST_IMAGES:,} are changed at a time.")
    line: dict[str, Any] = {"action": change.action.value, "images": list(change.images)}
    if change.action is Action.MOVE:
        line["to"] = checked_class_name(change.to)
    if change.reason:
        line["reason"] = change.reason
    return _append(home, key, line, based_on)


def undo(home: Path, key: str, based_on: int) -> Overlay:
    """Take back the last edit that is in effect; raises as `edit` does, and UserError if there is nothing to undo."""
    if read(home, key).undoable is None:
        raise UserError("Nothing to undo.")
    return _append(home, key, {"action": "undo"}, based_on)


def redo(home: Path, key: str, based_on: int) -> Overlay:
    """Repeat the edit that was undone last; raises as `edit` does, and UserError if there is nothing to redo."""
    if read(home, key).redoable is None:
        raise UserError("Nothing to redo.")
    return _append(home, key, {"action": "redo"}, based_on)


def checked_class_name(given: str) -> str:
    """Return a class name in the form in which it is written: composed, without spaces at its ends.

    Raises:
        UserError: It is empty, or no folder of a channel can have it.
    """
    name = normalised(given.strip())
    if not name:
        reason = "is empty"
    elif not is_utf8(name) or has_control_characters(name):
        reason = "holds control characters or bytes that are not text"
    elif "/" in name or "\\" in name:
        reason = "holds a slash; classes cannot be nested"
    elif is_ignored(name):
        reason = "begins with a dot or is a system's own, and training ignores such folders"
    elif len(name.encode()) > _MOST_NAME_BYTES:
        reason = f"has {len(name.encode())} bytes; folder names have at most {_MOST_NAME_BYTES}"
    else:
        return name
    raise UserError(f"The class name {reason}. Give another one.")


def _append(home: Path, key: str, line: dict[str, Any], based_on: int) -> Overlay:
    file = path(home, key)
    file.parent.mkdir(parents=True, exist_ok=True)
    is_new = not file.exists()
    with file.open("a+b") as opened, _alone(opened):
        _cut_unfinished(opened)
        current = read(home, key).revision
        if current != based_on:
            raise ChangedMeanwhileError(
                f"Labels were changed in another tab: they have revision {current}, this page shows {based_on}. "
                "Nothing of this change was saved. Look at the current labels, then repeat it."
            )
        record = {"revision": current + 1, "at": datetime.now(UTC).isoformat(timespec="seconds"), **line}
        opened.write(json.dumps(record).encode() + b"\n")
        opened.flush()
        os.fsync(opened.fileno())
    if is_new:
        durable_files.sync_names(file.parent)
    return read(home, key)


@contextmanager
def _alone(opened: BinaryIO) -> Iterator[None]:
    fcntl.flock(opened.fileno(), fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(opened.fileno(), fcntl.LOCK_UN)


def _cut_unfinished(opened: BinaryIO) -> None:
    """Remove the beginning of a line whose write was cut off: its edit was never confirmed."""
    opened.seek(0)
    content = opened.read()
    if content and not content.endswith(b"\n"):
        opened.truncate(content.rfind(b"\n") + 1)


@lru_cache(maxsize=8)
def _read(file: str, size: int, modified: int) -> Overlay:
    """Read the file; its size and modification time are what the result is kept by."""
    lines = Path(file).read_bytes()[:size].split(b"\n")
    # What follows the last line feed is unfinished.
    return _folded([_parsed(file, number, line) for number, line in enumerate(lines[:-1], start=1)])


def _parsed(file: str, number: int, line: bytes) -> Edit | str:
    try:
        found = json.loads(line)
        if found["action"] in ("undo", "redo"):
            return str(found["action"])
        return Edit(Action(found["action"]), tuple(found["images"]), found.get("to", ""), found.get("reason", ""))
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{file} is not an overlay of labels: line {number} cannot be read. Restore the file from a backup, or "
            "remove that line."
        ) from error


def _folded(lines: Sequence[Edit | str]) -> Overlay:
    done: list[Edit] = []
    undone: list[Edit] = []
    for line in lines:
        if isinstance(line, Edit):
            done.append(line)
            undone.clear()
        elif line == "undo" and done:
            undone.append(done.pop())
        elif line == "redo" and undone:
            done.append(undone.pop())
    labels: dict[str, str | None] = {}
    for one in done:
        if one.action is Action.RESTORE:
            for image in one.images:
                labels.pop(image, None)
        else:
            labels.update(dict.fromkeys(one.images, one.to if one.action is Action.MOVE else None))
    return Overlay(len(lines), labels, done[-1] if done else None, undone[-1] if undone else None)
