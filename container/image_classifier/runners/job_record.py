"""What a job's folder says about its processes: `process.json` from its start on, `stop.json` if it is asked to stop.

`process.json` begins with the `ProcessRecord` of the job's supervisor, in whose session all its processes run.
"""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from image_classifier import durable_files
from image_classifier.contract.opt_ml import OptMl
from image_classifier.runners.processes import ProcessRecord

LOG = "job.log"
"""The whole output of the job."""
PROCESS_FILE = "process.json"
STOP_FILE = "stop.json"

Identity = tuple[int, int]
"""Inode and time of modification in nanoseconds: a file system may give the inode of a replaced file to the next."""


@dataclass(frozen=True)
class JobRecord:
    """The run of a job; times are Unix times in seconds."""

    supervisor: ProcessRecord
    started: float
    report_before: Identity | None
    """Of the report that an earlier run left in the folder; None without one."""
    exit_code: int | None = None
    """Of the job, negative for a signal; None: it runs, or its end was not seen."""
    ended: float | None = None


@dataclass(frozen=True)
class StopRequest:
    """A request to stop the job."""

    requested: float
    now: bool
    """Without saving."""


def report_identity(tree: OptMl) -> Identity | None:
    """Return what identifies the metrics that a job has left; None without any."""
    report = tree.output_data_dir / "metrics.json"
    if not report.is_file():
        return None
    found = report.stat()
    return found.st_ino, found.st_mtime_ns


def write(folder: Path, record: JobRecord) -> None:
    """Write the record of a job atomically.

    Raises:
        OSError: The disk is full or not writable.
    """
    values = asdict(record)
    durable_files.write_json(folder / PROCESS_FILE, {**values.pop("supervisor"), **values})


def read(folder: Path) -> JobRecord | None:
    """Return the record of the job in a folder; None for a job that no runner started, or a corrupt record."""
    try:
        found = json.loads((folder / PROCESS_FILE).read_bytes())
        supervisor = ProcessRecord(*(found.pop(name) for name in ProcessRecord.__dataclass_fields__))
        before = found.pop("report_before")
        return JobRecord(supervisor, report_before=tuple(before) if before else None, **found)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def request_stop(folder: Path, now: bool) -> None:
    """Record that the job is asked to stop; a request to stop at once is not taken back.

    Raises:
        OSError: The disk is full or not writable.
    """
    before = stop_request(folder)
    found = StopRequest(before.requested if before else time.time(), now or (before is not None and before.now))
    if found != before:
        durable_files.write_json(folder / STOP_FILE, asdict(found))


def stop_request(folder: Path) -> StopRequest | None:
    """Return the request to stop this run of the job; None: it was not asked to."""
    try:
        return StopRequest(**json.loads((folder / STOP_FILE).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
