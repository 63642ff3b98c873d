"""What the screens share: folders, index, runners. `current()` is that of the request."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from flask import current_app

from image_classifier.console.index.database import Index
from image_classifier.console.roots import Roots

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
    """Jobs, queue and events; rebuilt from the folders when it is lost."""

    @property
    def jobs(self) -> Path:
        """One folder a job, see `runners.job_tree`."""
        return self.home / "jobs"

    @property
    def data(self) -> Path:
        """Imported data sets: one folder each."""
        return self.home / "data"

    @property
    def labels(self) -> Path:
        """Label overlays: one file of JSON lines a data set."""
        return self.home / "labels"

    @property
    def cache(self) -> Path:
        """What can be computed again: thumbnails, scans."""
        return self.home / "cache"


def create_folders(console: Console) -> None:
    """Create the folders of the console that do not exist yet, readable by their owner alone.

    Raises:
        OSError: The disk is full or not writable.
    """
    for folder in (console.home, console.jobs, console.data, console.labels, console.cache):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def current() -> Console:
    """Return the console that answers this request."""
    return cast(Console, current_app.extensions[KEY])
