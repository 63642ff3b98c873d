"""Folders that one worker fills and every worker, and the next run of pytest in scripts/test-image, reads."""

import fcntl
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock that the file `path` stands for; other threads and processes wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True)
class SharedFolders:
    """Folders below `root`, each filled once."""

    root: Path

    def filled(self, name: str, fill: Callable[[Path], object]) -> Path:
        """Return the folder `name`; where it is missing, `fill` is called on an empty one first.

        A worker that needs it meanwhile waits. What a `fill` that raised has left is removed by the next one.
        """
        folder = self.root / name
        # The folder is filled under its own name: containers and archives keep the paths that they were given.
        complete = self.root / f"{name}.complete"
        with locked(self.root / f"{name}.lock"):
            if not complete.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                fill(folder)
                complete.touch()
        return folder
