"""What the screens share: folders, index, runners. `current()` is that of the request."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from flask import current_app

from image_classifier.console.events import EventHub
from image_classifier.console.index.database import FILE, Index
from image_classifier.console.queueing.job_queue import JobQueue
from image_classifier.console.roots import Roots
from image_classifier.runners.job import Runner

_JOBS, _DATA, _LABELS, _CACHE = _FOLDERS = ("jobs", "data", "labels", "cache")
KEY = "image_classifier.console"
"""Of the `Console` in an application's `extensions`."""


@dataclass(frozen=True)
class Console:
    """One console. Fields that a screen needs and that live as long as the process belong here."""

    home: Path
    """Holds jobs, imported data, label overlays and the cache; without links in its path."""
    roots: Roots
    """The folders that requests may name; `home` is one of them."""
    index: Index
    """Jobs, queue and overlays' revisions; rebuilt from the folders when it is lost."""
    events: EventHub
    """Tells open pages what has changed."""
    runners: Mapping[str, Runner]
    """By name, see `runners.experiment.RUNNERS`."""
    queue: JobQueue
    """All jobs: ask for one, find one, stop and resume it."""
    jobs_at_once: int = 1
    """Jobs that run at the same time on this machine."""

    @property
    def jobs(self) -> Path:
        """One folder per job, see `runners.job_tree`."""
        return self.home / _JOBS

    @property
    def data(self) -> Path:
        """Imported data sets: one folder each."""
        return self.home / _DATA

    @property
    def labels(self) -> Path:
        """Label overlays: one file of JSON lines a data set."""
        return self.home / _LABELS

    @property
    def cache(self) -> Path:
        """What can be computed again: thumbnails, scans."""
        return self.home / _CACHE


def open_console(home: Path, roots: Roots, runners: Mapping[str, Runner], jobs_at_once: int = 1) -> Console:
    """Return the console of a home folder, with the folders in it that do not exist yet.

    Raises:
        OSError: The disk is full or not writable.
    """
    index, events = Index(home / FILE), EventHub()
    # Readable by their owner alone: images and paths of the user are in them.
    for folder in (home, *(home / name for name in _FOLDERS)):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Console(home, roots, index, events, runners, JobQueue(home, runners, index, events), jobs_at_once)


def current() -> Console:
    """Return the console that answers this request."""
    return cast(Console, current_app.extensions[KEY])
