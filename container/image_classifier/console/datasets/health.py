"""The health check of a data set: started in the background, its facts kept until the files change.

The facts do not depend on labels; `findings` judges them by the present ones, so that an edit needs no new check.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from image_classifier import durable_files
from image_classifier.console import tasks
from image_classifier.console.datasets.contents import Contents
from image_classifier.console.datasets.known import DataSet
from image_classifier.console.tasks import State, Status

_MODULE = "image_classifier.console.datasets.health_process"
_FACTS = "facts.json"
_FORMAT = 1


@dataclass(frozen=True)
class Group:
    """The same image several times."""

    exact: bool
    """Whether their pixels are equal."""
    images: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """What the check found in the files."""

    digest: str
    """Of the folders, see `contents.Contents.digest`."""
    fingerprint: str
    """Of the files' names, sizes and modification times."""
    images: int
    seconds: float
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """Reason by image."""
    tiny: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Width and height in pixels by image."""
    oblong: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    blank: tuple[str, ...] = ()
    """Images of one colour."""
    groups: tuple[Group, ...] = ()
    rules: tuple[str, ...] = ()
    """What training would reject in the folders as they are."""
    notes: tuple[str, ...] = ()
    """What training would log about files that it does not use."""
    formats: Mapping[str, int] = field(default_factory=dict)
    sizes: tuple[int, int, int, int] | None = None
    """Smallest, median and largest longest side in pixels, and the images that they are of."""


def folder(home: Path, key: str) -> Path:
    """Return the folder of a data set's check."""
    return home / "cache" / "health" / key


def start(home: Path, data_set: DataSet) -> None:
    """Start a check; does nothing while one runs.

    Raises:
        OSError: The disk is full, or no process can be started.
    """
    target = folder(home, data_set.key)
    tasks.start(target, _MODULE, [str(target), str(home), data_set.key], tasks.ONE_THREAD)


def status(home: Path, data_set: DataSet) -> Status | None:
    """Return what the check is doing; None if it was never started."""
    return tasks.status(folder(home, data_set.key))


def facts(home: Path, data_set: DataSet) -> Facts | None:
    """Return the facts of the last check; None before the first one, or if an earlier version wrote them."""
    try:
        found = json.loads((folder(home, data_set.key) / _FACTS).read_bytes())
        if found.pop("format") != _FORMAT:
            return None
        found["groups"] = tuple(Group(one["exact"], tuple(one["images"])) for one in found["groups"])
        for name in ("blank", "rules", "notes"):
            found[name] = tuple(found[name])
        found["sizes"] = tuple(found["sizes"]) if found["sizes"] else None
        return Facts(**found)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep(folder_of_check: Path, found: Facts) -> None:
    """Write the facts.

    Raises:
        OSError: The disk is full or not writable.
    """
    durable_files.write_json(folder_of_check / _FACTS, {"format": _FORMAT, **asdict(found)})


def start_if_changed(home: Path, data_set: DataSet, contents: Contents) -> None:
    """Start a check unless the facts are of the folders as they are, or a check of them failed or was cancelled.

    Raises:
        OSError: See `start`.
    """
    known = facts(home, data_set)
    if known is not None and known.digest == contents.digest:
        return
    now = status(home, data_set)
    if now is None or now.state in (State.FINISHED, State.INTERRUPTED):
        start(home, data_set)
