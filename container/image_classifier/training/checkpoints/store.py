"""Checkpoints: a job that is killed goes on from the newest whole one.

`/opt/ml/checkpoints` is copied to S3 while it is written and back before a restart, so it may hold anything: a
checkpoint half copied, a temporary folder, files of others. A checkpoint is a folder that appears under its name when
it is whole, and is believed only after every file of it has been checked.
"""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from image_classifier import durable_files
from image_classifier.contract.errors import UserError
from image_classifier.training.checkpoints import files
from image_classifier.training.checkpoints.files import Contents, Corrupt
from image_classifier.training.progress import log

KEPT = 2
"""The newest, and the one before it for when the newest is corrupt."""
_NAME = re.compile(r"checkpoint-(\d{6,})-step-(\d+)")
_PARTIAL = re.compile(r"\.checkpoint-.*\.partial")
_SHOWN = 5
_SHOWN_CHARACTERS = 60
"""Differences between two jobs in a message, and characters of a value; the platform keeps 1,024 of the whole."""


@dataclass(frozen=True)
class Checkpoint:
    """What a job had reached."""

    step: int
    """Steps of training done."""
    state: Mapping[str, Any]
    """As it was saved, except that JSON makes lists of tuples."""
    groups: Mapping[str, Mapping[str, NDArray[Any]]]


class Checkpoints:
    """The checkpoints of one job in a folder."""

    def __init__(self, folder: Path, job: Mapping[str, Any]) -> None:
        """Remove what a killed job left half written; `job` is JSON-able, and equal in all that continue each other."""
        self._folder, self._job = folder, json.loads(json.dumps(job))
        self._damaged: set[Path] = set()
        for path in _entries(folder):
            if _PARTIAL.fullmatch(path.name):
                _remove(path)

    def latest(self) -> Checkpoint | None:
        """Return the newest checkpoint that is whole, None when there is none; say which were passed over, and why.

        Raises:
            UserError: It is of another job; the message names what differs.
        """
        for path in self._newest_first():
            try:
                contents = files.read(path)
                found = _unpacked(path, contents)
            except Corrupt as damage:
                self._damaged.add(path)
                log(f"The checkpoint {path.name} is corrupt and passed over: {damage}.")
                continue
            self._reject_another_job(path, contents.state["job"])
            return found
        if self._damaged:
            log(f"No checkpoint in {self._folder} is whole: the job starts at its beginning.")
        return None

    def save(self, step: int, state: Mapping[str, Any], groups: Mapping[str, Mapping[str, NDArray[Any]]]) -> None:
        """Write a checkpoint, whole and on the disk or not at all; then remove those before the last two.

        `state` is JSON-able. A group's name has small letters, digits and underscores; its arrays, under any names, are
        bool, integer or float.

        Raises:
            OSError: The disk rejects it; `filename` names the file. The checkpoints before are as they were.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        # Counted, not named by the step alone: the same step may be saved again, and a folder cannot be replaced.
        number = max((_numbers(path)[0] for path in self._newest_first()), default=0) + 1
        target = self._folder / f"checkpoint-{number:06}-step-{step}"
        partial = target.with_name(f".{target.name}.partial")
        try:
            files.write(partial, Contents({"step": step, "job": self._job, "state": state}, groups))
            durable_files.rename_folder(partial, target)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        self._prune()

    def _newest_first(self) -> list[Path]:
        found = [path for path in _entries(self._folder) if _NAME.fullmatch(path.name)]
        return sorted(found, key=_numbers, reverse=True)

    def _prune(self) -> None:
        # A corrupt one is none to fall back on.
        kept = [path for path in self._newest_first() if path not in self._damaged][:KEPT]
        for path in self._newest_first():
            if path not in kept:
                _remove(path)

    def _reject_another_job(self, path: Path, there: Any) -> None:
        differences = list(_differences("", there, self._job))
        if not differences:
            return
        more = len(differences) - _SHOWN
        listed = "; ".join(differences[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
        raise UserError(
            f"The checkpoint {path.name} in {self._folder} is of another job: {listed}. Empty the S3 prefix of this "
            "job's checkpoints or name another one; to continue that job, give the values that it had."
        )


def _remove(path: Path) -> None:
    """Remove a checkpoint, whole or not; a folder that holds anything else under its name is left alone."""
    if not path.is_symlink() and all(files.is_written(each) for each in path.iterdir()):
        shutil.rmtree(path, ignore_errors=True)


def _entries(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []


def _numbers(path: Path) -> tuple[int, int]:
    match = _NAME.fullmatch(path.name)
    assert match
    return int(match[1]), int(match[2])


def _unpacked(path: Path, contents: Contents) -> Checkpoint:
    step = _numbers(path)[1]
    if contents.state.get("step") != step or not {"job", "state"} <= contents.state.keys():
        raise Corrupt("its state is not that of the step in its name")
    return Checkpoint(step, contents.state["state"], contents.groups)


def _differences(name: str, there: Any, here: Any) -> Iterator[str]:
    """Say each difference between two JSON values once, at the innermost name."""
    if isinstance(there, dict) and isinstance(here, dict):
        for key in sorted({*there, *here}):
            yield from _differences(f"{name}.{key}" if name else key, there.get(key), here.get(key))
    elif there != here:
        yield f"{name} is {_shown(there)} there and {_shown(here)} here"


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
