"""The queue on the disk: one file per waiting job, `queue/<name>.toml`, so that no crash loses one.

It is written when a job is asked for, and removed when it was started or taken back. Whether it starts or resumes is
decided when it is due: a job that has a folder resumes. A job that could not be started keeps its file, with the
reason beside it.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path

from image_classifier import durable_files
from image_classifier.contract.errors import ExplainedError
from image_classifier.runners import experiment
from image_classifier.runners.experiment import Experiment

FOLDER = "queue"
_EXPERIMENT, _FAILURE = ".toml", ".failure.json"


@dataclass(frozen=True)
class Waiting:
    """A job that was asked for and not started."""

    name: str
    experiment: Experiment
    requested: float
    failure: str | None = None
    """Why it could not be started; it does not wait any more then."""


def folder(home: Path) -> Path:
    """Return the folder of the queue."""
    return home / FOLDER


def write(home: Path, asked: Experiment) -> None:
    """Put a job into the queue, durably.

    Raises:
        OSError: The disk is full or not writable; the queue is unchanged.
    """
    folder(home).mkdir(mode=0o700, exist_ok=True)
    (folder(home) / f"{asked.name}{_FAILURE}").unlink(missing_ok=True)
    experiment.write(folder(home) / f"{asked.name}{_EXPERIMENT}", asked)


def fail(home: Path, name: str, sentence: str) -> None:
    """Record why a job could not be started.

    Raises:
        OSError: The disk is full or not writable.
    """
    durable_files.write_json(folder(home) / f"{name}{_FAILURE}", {"failure": sentence, "time": time.time()})


def remove(home: Path, name: str) -> None:
    """Take a job out of the queue.

    Raises:
        OSError: The disk is not writable.
    """
    (folder(home) / f"{name}{_EXPERIMENT}").unlink(missing_ok=True)
    (folder(home) / f"{name}{_FAILURE}").unlink(missing_ok=True)


def read(home: Path) -> list[Waiting]:
    """Return what is in the queue, the oldest request first; files that are not experiments are left out."""
    found = []
    for path in folder(home).glob(f"*{_EXPERIMENT}"):
        try:
            requested = path.stat().st_mtime
            asked = experiment.read(path)
        except (OSError, ExplainedError):
            continue
        name = path.name.removesuffix(_EXPERIMENT)
        found.append(Waiting(name, asked, requested, _failure(path.with_name(f"{name}{_FAILURE}"))))
    return sorted(found, key=lambda one: (one.requested, one.name))


def _failure(path: Path) -> str | None:
    try:
        return str(json.loads(path.read_bytes())["failure"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
