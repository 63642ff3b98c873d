"""Checkpoints: a job that was killed resumes from the newest intact one.

`/opt/ml/checkpoints` is copied to S3 while it is written and back before a restart, so it may hold anything: a
partially copied checkpoint, a temporary folder, unrelated files. A checkpoint is a folder that gets its name when it is
complete, and is used only after every file of it has been verified.
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
"""The newest, and the previous one in case the newest is corrupt."""
_NAME = re.compile(r"checkpoint-(\d{6,})-step-(\d+)")
_PARTIAL = re.compile(r"\.checkpoint-.*\.partial")
_SHOWN = 5
_SHOWN_CHARACTERS = 60
"""Differences between two jobs in a message, and characters of a value; the platform keeps 1,024 characters."""


@dataclass(frozen=True)
class Checkpoint:
    """A saved state of a job."""

    step: int
    """Number of training steps done."""
    state: Mapping[str, Any]
    """As it was saved, except that JSON turns tuples into lists."""
    groups: Mapping[str, Mapping[str, NDArray[Any]]]


class Checkpoints:
    """The checkpoint folder of one job."""

    def __init__(self, folder: Path, job: Mapping[str, Any]) -> None:
        """Remove partial checkpoints of a killed job; `job` is JSON-able, and equal in all runs of the same job."""
        self._folder, self._job = folder, json.loads(json.dumps(job))
        self._corrupt: set[Path] = set()
        for path in _entries(folder):
            if _PARTIAL.fullmatch(path.name):
                _remove(path)

    def below(self, name: str) -> "Checkpoints":
        """Return the checkpoints of a part of this job, in the sub-folder `name`."""
        return Checkpoints(self._folder / name, self._job)

    def latest(self) -> Checkpoint | None:
        """Return the newest intact checkpoint, or None; log which corrupt ones are skipped, and why.

        Raises:
            UserError: It belongs to another job; the message names the differences.
        """
        for path in self._newest_first():
            try:
                contents = files.read(path)
                found = _unpacked(path, contents)
            except Corrupt as problem:
                self._corrupt.add(path)
                log(f"Skipping corrupt checkpoint {path.name}: {problem}.")
                continue
            self._reject_another_job(path, contents.state["job"])
            return found
        if self._corrupt:
            log(f"No usable checkpoint in {self._folder}; starting from scratch.")
        return None

    def save(self, step: int, state: Mapping[str, Any], groups: Mapping[str, Mapping[str, NDArray[Any]]]) -> None:
        """Write a checkpoint atomically and durably, then remove all but the last two.

        `state` is JSON-able. The name of a group has lower-case letters, digits and underscores; its arrays, under any
        names, are bool, integer or float.

        Raises:
            OSError: The disk is full or not writable; `filename` names the file. Earlier checkpoints are unchanged.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        # Numbered, not named by the step alone: a step may be saved twice, and rename cannot replace a folder.
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
        # A corrupt checkpoint is not a fallback and does not count.
        kept = [path for path in self._newest_first() if path not in self._corrupt][:KEPT]
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
            f"The checkpoint {path.name} in {self._folder} belongs to another job: {listed}. Use an "
            "empty S3 prefix for the checkpoints of this job; to resume the other job, give the values that it had."
        )


def _remove(path: Path) -> None:
    """Remove a complete or partial checkpoint; leave a folder alone that holds any other file."""
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
        raise Corrupt("its state does not belong to the step in its name")
    return Checkpoint(step, contents.state["state"], contents.groups)


def _differences(name: str, there: Any, here: Any) -> Iterator[str]:
    """Yield each difference between two JSON values once, under its innermost name."""
    if isinstance(there, dict) and isinstance(here, dict):
        for key in sorted({*there, *here}):
            yield from _differences(f"{name}.{key}" if name else key, there.get(key), here.get(key))
    elif there != here:
        yield f"{name} was {_shown(there)} and is now {_shown(here)}"


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
