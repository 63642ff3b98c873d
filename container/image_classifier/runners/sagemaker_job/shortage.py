"""A job for which AWS has no capacity or quota: wait if need be, and try again, with the next instance type."""

import time
from dataclasses import replace
from pathlib import Path

from image_classifier.cloud import remedies
from image_classifier.cloud.sagemaker import capacity, names
from image_classifier.cloud.sagemaker.options import TrainingOptions
from image_classifier.runners import experiment, job_record, job_tree
from image_classifier.runners.sagemaker_job import record
from image_classifier.runners.sagemaker_job.record import Platform, Record

STOPPED_BEFORE = "Stopped before the job was created."
_LOOK = 1.0
"""Seconds between two checks for a stop request."""


def was(platform: Platform) -> bool:
    """Return whether a job ended without ever having had an instance."""
    if platform.status == "Stopped":
        return platform.secondary == "MaxWaitTimeExceeded" and platform.started is None
    return platform.status == "Failed" and remedies.is_shortage("", platform.failure)


def next_attempt(folder: Path, found: Record, given: TrainingOptions, reason: str) -> Record | None:
    """Log why an attempt failed, wait, and return the record of the next one, written; None: give up.

    The record of a job that was stopped meanwhile has a failure.
    """
    tries, number = capacity.attempts(given), found.attempt + 1
    since = found.short_since or time.time()
    pause = tries.pause_before(number, time.time() - since)
    if pause is None:
        return None
    before, after = (tries.variant(attempt).instance_type for attempt in (found.attempt, number))
    when = f"in {pause:.0f} s" if pause else "now"
    line = f"Attempt {number} with {before}: {' '.join(reason.split()).rstrip('.')}. Trying {after} {when}."
    found = replace(_logged(folder, found, line), short_since=since, waiting=f"Waiting {pause:.0f} s for capacity")
    record.write(folder, found)
    if not _waited(folder, pause):
        found = replace(found, failure=STOPPED_BEFORE, platform=Platform(), waiting="")
        record.write(folder, found)
        return found
    # Names of jobs stay taken; the folder of checkpoints, empty until a job runs, stays the same.
    name = f"{names.unique(experiment.read(folder / experiment.FILE).name, names.LONGEST - 4)}-{number}"
    found = replace(found, job=name, attempt=number, platform=Platform(), tokens={}, waiting="")
    record.write(folder, found)
    return found


def _logged(folder: Path, found: Record, line: str) -> Record:
    with (folder / job_tree.LOG).open("ab") as log:
        log.write(f"{line}\n".encode())
        return replace(found, log_bytes=log.tell())


def _waited(folder: Path, seconds: float) -> bool:
    """Wait, and return False as soon as the job is asked to stop."""
    deadline = time.monotonic() + seconds
    while job_record.stop_request(folder) is None:
        left = deadline - time.monotonic()
        if left <= 0:
            return True
        time.sleep(min(left, _LOOK))
    return False


def attempts_of(found: Record) -> str:
    """Return the words before the sentence on a failure; empty after a single attempt."""
    return f"After {found.attempt + 1} attempts: " if found.attempt else ""
