"""The last known status of jobs that are over, so that a long list of them is shown without reading their logs."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import cast

from image_classifier.console.index.database import Index
from image_classifier.runners.job import EpochMetrics, JobStatus, State

_WITNESSES = ("experiment.toml", "process.json", "job.json", "output/failure", "sagemaker.json")
"""Files in a job's folder of which one changes when the job does."""


def signature(folder: Path) -> str:
    """Return a text that changes when the job in `folder` was started, resumed or ended."""
    return " ".join(str(_changed(folder / name)) for name in _WITNESSES)


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def save(index: Index, name: str, folder: Path, status: JobStatus) -> None:
    """Remember the status of a job that is over."""
    index.write(
        "INSERT OR REPLACE INTO jobs (name, signature, status) VALUES (?, ?, ?)",
        [(name, signature(folder), json.dumps(vars(status), default=_encode))],
    )


def load(index: Index) -> Mapping[str, tuple[str, JobStatus]]:
    """Return signature and status of every job that was saved, by name; entries of other versions are left out."""
    found = {}
    for name, signed, text in index.read("SELECT name, signature, status FROM jobs"):
        if (status := _decode(text)) is not None:
            found[name] = (signed, status)
    return found


def forget(index: Index, names: list[str]) -> None:
    """Remove the entries of jobs whose folder is gone."""
    index.write("DELETE FROM jobs WHERE name = ?", [(name,) for name in names])


def _encode(value: object) -> object:
    return vars(value) if isinstance(value, EpochMetrics) else dict(cast(Mapping[str, object], value))


def _decode(text: str) -> JobStatus | None:
    try:
        fields = json.loads(text)
        epochs = tuple(EpochMetrics(one["number"], MappingProxyType(one["metrics"])) for one in fields.pop("epochs"))
        extra = MappingProxyType(fields.pop("extra"))
        warnings = tuple(fields.pop("warnings"))
        return JobStatus(State(fields.pop("state")), epochs=epochs, extra=extra, warnings=warnings, **fields)
    except (ValueError, TypeError, KeyError):
        return None
