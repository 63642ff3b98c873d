"""The result of a job: opened from its folder, kept while it does not change, or why a job has no result."""

import json
import re
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from image_classifier.contract import report_files
from image_classifier.evaluation import archive
from image_classifier.evaluation.archive import Opened
from image_classifier.runners import job_tree

_KEPT = 2
"""Opened results in memory: the two of a comparison."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class NoResultError(Exception):
    """A job has no result that can be opened; the message says why in one sentence, and what to do in another."""


@dataclass(frozen=True)
class Result:
    """An opened result."""

    job: str
    folder: Path
    """Of the job."""
    opened: Opened
    stamp: str
    """Changes when the file changes; part of the addresses of what browsers keep."""

    @property
    def data(self) -> Path:
        """The folder of the report's files."""
        return data_folder(self.folder)

    @property
    def file(self) -> Path:
        """What it was opened from."""
        return self.data / report_files.EVIDENCE


_cache: OrderedDict[Path, Result] = OrderedDict()
_lock = Lock()


def job_folder(jobs: Path, name: str) -> Path | None:
    """Return the folder of a job by its name; None if it does not exist."""
    folder = jobs / name
    return folder if _NAME.fullmatch(name) and folder.is_dir() and not folder.is_symlink() else None


def data_folder(folder: Path) -> Path:
    """Return where a job leaves its report, also one whose output.tar.gz was unpacked into `output`."""
    return folder / "output" / "data"


def open_job(folder: Path) -> Result:
    """Open the result of a job.

    Raises:
        NoResultError: It has none.
        UserError: Its file is corrupt.
    """
    file = data_folder(folder) / report_files.EVIDENCE
    try:
        found = file.stat()
    except OSError:
        raise NoResultError(why_none(folder)) from None
    stamp = f"{found.st_mtime_ns:x}-{found.st_size:x}"
    with _lock:
        if (kept := _cache.get(file)) and kept.stamp == stamp:
            _cache.move_to_end(file)
            return kept
    made = Result(folder.name, folder, archive.read(file), stamp)
    with _lock:
        _cache[file] = made
        _cache.move_to_end(file)
        while len(_cache) > _KEPT:
            _cache.popitem(last=False)
    return made


def why_none(folder: Path) -> str:
    """Return why a job has no result that can be opened, and what to do."""
    data = data_folder(folder)
    if (folder / "output" / "failure").is_file():
        return "The job failed, so there is nothing to judge. Its page says why; correct that and train again."
    if (data / report_files.REPORT).is_file():
        return (
            f"The job was run by an earlier version, which did not write {report_files.EVIDENCE}: the report can be "
            "read, but no image can be opened and no label decided. Train again to get the whole result."
        )
    if (data / "metrics.json").is_file():
        return (
            "The job has a model but no report: it was trained with report=False, or stopped before its report. "
            "Resume it, or train again with report=True."
        )
    if (folder / job_tree.LOG).is_file():
        return "The job has not written its report yet. It is the last thing that a job does; look at the job's page."
    return "The job has not started yet."


@dataclass(frozen=True)
class Listed:
    """A job's result in the list of all."""

    name: str
    verdict: str
    """Empty: the job left no report."""
    accuracy: float | None
    """On the validation images."""
    modified: float
    """Unix time in seconds."""
    can_open: bool


def every(jobs: Path) -> tuple[Listed, ...]:
    """Return the jobs that left metrics, the latest first."""
    found = [
        one
        for folder in (jobs.iterdir() if jobs.is_dir() else ())
        if job_folder(jobs, folder.name) and (one := _listed(folder))
    ]
    return tuple(sorted(found, key=lambda one: -one.modified))


def _listed(folder: Path) -> Listed | None:
    data = data_folder(folder)
    evidence, metrics = data / report_files.EVIDENCE, data / "metrics.json"
    source = metrics if metrics.is_file() else evidence
    if not source.is_file():
        return None
    try:
        read = json.loads(metrics.read_bytes())
        verdict, accuracy = str(read.get("verdict", "")), read.get("val_accuracy")
    except (OSError, ValueError, AttributeError):
        verdict, accuracy = "", None
    return Listed(
        folder.name,
        verdict,
        float(accuracy) if isinstance(accuracy, int | float) else None,
        source.stat().st_mtime,
        evidence.is_file(),
    )
