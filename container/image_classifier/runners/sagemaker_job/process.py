"""The process that takes a job to SageMaker and follows it: `python -m ….process FOLDER`.

It uploads the inputs, creates the job, copies its log and status into the folder, and fetches the result. It inherits
the folder's lock, and can be killed at any time: the next one continues where the record in the folder says.
"""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from image_classifier.cloud.errors import is_shortage
from image_classifier.cloud.s3 import Access, S3Storage
from image_classifier.cloud.sagemaker import calls, capacity, logs, places, session
from image_classifier.cloud.sagemaker.kinds import TRAINING_JOB
from image_classifier.cloud.sagemaker.options import TrainingOptions
from image_classifier.cloud.sagemaker.session import Session
from image_classifier.cloud.sagemaker.training import LOG_GROUP, create_training_job
from image_classifier.contract.errors import AlgorithmError, ExplainedError, UserError
from image_classifier.runners import experiment, job_record, job_tree
from image_classifier.runners.sagemaker_job import inputs, record, results, shortage
from image_classifier.runners.sagemaker_job.record import Platform, Record

PAUSE = 5.0
"""Seconds between two polls of the job."""
_PAUSE_AFTER_AN_ERROR = 30.0
_SHOWN_EVERY = 1.0
"""Seconds between two writes of an upload's progress."""


def run(folder: Path) -> None:
    """Do what remains to be done for the job in a folder, whose lock the caller has; returns when it is over.

    Raises:
        UserError: The folder holds no job.
        OSError: The disk is full or not writable.
    """
    found = record.read(folder)
    if found is None:
        raise UserError(f"{folder} holds no job on SageMaker.")
    opened: Session | None = None
    while not found.is_over:
        if not found.platform.status:
            found = _create(folder, found)
            continue
        # After an error there may be new credentials.
        opened = opened if opened and not found.problem else session.open_session(found.region, found.profile)
        found = _followed(folder, found, opened)
        if not found.is_over:
            time.sleep(_PAUSE_AFTER_AN_ERROR if found.problem else PAUSE)


def _create(folder: Path, found: Record) -> Record:
    """Upload the inputs and create the job; a failure is recorded."""
    try:
        opened = session.open_session(found.region, found.profile)
        existing = opened.find(TRAINING_JOB.call("Describe", found.job))
        if existing is None:
            found = _start(folder, found, opened)
            existing = opened.send(TRAINING_JOB.call("Describe", found.job))
        # A stop request may have come between the last look and the job.
        if job_record.stop_request(folder):
            opened.find(TRAINING_JOB.call("Stop", found.job))
        found = replace(record.read(folder) or found, platform=platform_of(existing))
    except ExplainedError as error:
        found = record.read(folder) or found
        found = replace(found, failure=f"{type(error).__name__}: {shortage.attempts_of(found)}{error}", waiting="")
    record.write(folder, found)
    return found


def _start(folder: Path, found: Record, opened: Session) -> Record:
    """Upload the inputs and create the job, with another attempt if there is no capacity; return its record."""
    asked_for, given = experiment.read(folder / experiment.FILE), _options(folder)
    storage = S3Storage(Access(region=found.region, profile=found.profile or None))
    places.check(storage, found.region, found.location, inputs.in_s3(asked_for))
    model = inputs.chosen(asked_for).fetch()
    local = inputs.sources(asked_for, found.location, model, needs_staging=False)
    inputs.upload(storage, local, found.location, _progress(folder, found))
    while True:
        found = record.read(folder) or found
        if job_record.stop_request(folder):
            raise UserError(shortage.STOPPED_BEFORE)
        kept = inputs.experiment_file(found.location, found.job)
        storage.write_bytes((folder / experiment.FILE).read_bytes(), kept)
        try:
            opened.send(_request(asked_for, capacity.attempts(given).variant(found.attempt), found, local))
            return found
        except ExplainedError as error:
            if not is_shortage(error) or not shortage.next_attempt(folder, found, given, str(error)):
                raise


def _options(folder: Path) -> TrainingOptions:
    return inputs.options_of(experiment.read(folder / experiment.FILE))


def _request(asked_for: experiment.Experiment, given: TrainingOptions, found: Record, local: Any) -> calls.Call:
    job = inputs.training_job(asked_for, given, found.location, local, found.job, found.checkpoints)
    call = create_training_job(job)
    calls.validate([call])
    return call


def _progress(folder: Path, found: Record) -> Callable[[int, int], None]:
    written = 0.0

    def passed_on(done: int, total: int) -> None:
        nonlocal written
        if job_record.stop_request(folder):
            raise UserError(shortage.STOPPED_BEFORE)
        if time.monotonic() - written >= _SHOWN_EVERY or done == total:
            record.write(folder, replace(found, done=done, total=total))
            written = time.monotonic()

    return passed_on


def _followed(folder: Path, found: Record, opened: Session) -> Record:
    """Look at the job once; a request that fails is recorded, and repeated at the next look."""
    try:
        # The log is read after the status, so that a job that has ended has its whole log.
        platform = platform_of(opened.send(TRAINING_JOB.call("Describe", found.job)))
        found = replace(_with_new_log(folder, opened, found), platform=platform, problem="")
        if shortage.was(platform) and (again := _next_attempt(folder, found)):
            return again
        if platform.is_over:
            record.write(folder, found)
            results.fetch(folder, S3Storage(Access(region=found.region, profile=found.profile or None)), found)
            found = replace(found, downloaded=True)
    except AlgorithmError as error:
        found = replace(found, failure=str(error))
    except ExplainedError as error:
        found = replace(found, problem=str(error))
    record.write(folder, found)
    return found


def _next_attempt(folder: Path, found: Record) -> Record | None:
    reason = found.platform.failure or "no spot instance within max_wait_seconds"
    return shortage.next_attempt(folder, found, _options(folder), reason)


def _with_new_log(folder: Path, opened: Session, found: Record) -> Record:
    lines, position = logs.read_new(opened, LOG_GROUP, f"{found.job}/", logs.Position(found.tokens))
    path = folder / job_tree.LOG
    with path.open("ab") as log:
        # Lines of a process that was killed before it wrote the record are read again.
        log.truncate(found.log_bytes)
        log.seek(0, 2)
        log.write("".join(f"{line}\n" for line in lines).encode(errors="backslashreplace"))
        length = log.tell()
    found = replace(found, tokens=dict(position.tokens), log_bytes=length)
    record.write(folder, found)
    return found


def platform_of(answer: dict[str, Any]) -> Platform:
    """Return what an answer of DescribeTrainingJob says."""

    def seconds(name: str) -> float | None:
        return answer[name].timestamp() if name in answer else None

    return Platform(
        status=str(answer["TrainingJobStatus"]),
        secondary=str(answer.get("SecondaryStatus", "")),
        failure=str(answer.get("FailureReason", "")),
        started=seconds("TrainingStartTime"),
        ended=seconds("TrainingEndTime"),
        billable_seconds=answer.get("BillableTimeInSeconds"),
        training_seconds=answer.get("TrainingTimeInSeconds"),
    )


def main(arguments: Sequence[str]) -> int:
    """Follow the job in a folder."""
    run(Path(arguments[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
