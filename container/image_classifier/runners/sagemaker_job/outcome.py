"""The status of a job on SageMaker by the files in its folder alone."""

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from image_classifier.cloud import remedies
from image_classifier.cloud.remedies import Rejection
from image_classifier.runners import job_record, job_state, job_tree, log_reading
from image_classifier.runners.job import JobStatus, State
from image_classifier.runners.sagemaker_job import shortage
from image_classifier.runners.sagemaker_job.record import Record

PROBLEM = "problem"
"""Name of the fact that the last look at the job failed, which is repeated."""
_WAITING = {
    "Starting": "Waiting for an instance",
    "Pending": "Waiting for an instance",
    "LaunchingMLInstances": "Starting the instance",
    "PreparingTrainingStack": "Preparing the instance",
    "Downloading": "Downloading the data to the instance",
    "DownloadingTrainingImage": "Downloading the Docker image to the instance",
    "Interrupted": "Interrupted: waiting for another spot instance",
    "Restarting": "Restarting after an error of the platform",
}
"""What a job does before its program runs, by its secondary status."""
_ENDING = {"Uploading": "Uploading the model from the instance"}


def status(folder: Path, found: Record) -> JobStatus:
    """Return the status of the job that a record describes.

    Raises:
        OSError: The log cannot be read.
    """
    progress = log_reading.follow(folder / job_tree.LOG, folder / log_reading.FILE)
    made = progress.with_history(_now(folder, found))
    made = replace(
        made,
        warnings=(*made.warnings, *([found.problem] if found.problem else [])),
        started=found.requested,
        ended=found.platform.ended,
        extra=MappingProxyType(_facts(found)),
    )
    return made if made.state != State.RUNNING or made.phase else progress.with_phase(made)


def _now(folder: Path, found: Record) -> JobStatus:
    platform = found.platform
    stops = job_record.stop_request(folder) is not None
    if found.failure and stops and not platform.status:
        return JobStatus(State.STOPPED)
    if found.failure:
        return JobStatus(State.FAILED, failure=found.failure)
    if found.waiting:
        return JobStatus(State.STOPPING if stops else State.STARTING, phase=found.waiting)
    if not platform.status:
        return JobStatus(State.STARTING, phase="Uploading to S3", done=found.done, total=found.total)
    if platform.status == "Failed":
        return JobStatus(State.FAILED, failure=_explained(found))
    if platform.is_over:
        return _ended(folder, found)
    if platform.status == "Stopping" or stops:
        return JobStatus(State.STOPPING, phase="Saving the best model")
    if platform.secondary in _WAITING:
        return JobStatus(State.STARTING, phase=_WAITING[platform.secondary])
    return JobStatus(State.RUNNING, phase=_ENDING.get(platform.secondary, ""))


def _ended(folder: Path, found: Record) -> JobStatus:
    if not found.downloaded:
        return JobStatus(State.RUNNING, phase="Downloading the result")
    state = job_state.read(folder)
    if state is not None:
        return JobStatus(State(state.state), accuracy=state.accuracy)
    return JobStatus(State.STOPPED if found.platform.status == "Stopped" else State.FINISHED)


def _explained(found: Record) -> str:
    """Return the sentence of the platform's reason, or that of the program, which begins with its owner."""
    reason = found.platform.failure.removeprefix("AlgorithmError: ").strip()
    known = remedies.explain(Rejection("", reason, f"The training job {found.job}", found.region))
    if known:
        return f"{shortage.attempts_of(found)}{known}"
    return reason or "The platform gives no reason; look at the log."


def _facts(found: Record) -> dict[str, str]:
    platform = found.platform
    host = f"https://{found.region}.console.aws.amazon.com/sagemaker"
    facts = {"job": found.job, "region": found.region}
    if found.problem:
        facts[PROBLEM] = found.problem
    if platform.status:
        facts["status"] = f"{platform.status} {platform.secondary}".strip()
        facts["console"] = f"{host}/landing?region={found.region}#/jobs/{found.job}"
    if platform.is_over and platform.status != "Failed":
        facts["artefact"] = found.results.below("model.tar.gz").uri
    if platform.billable_seconds is not None:
        facts["billable_seconds"] = str(platform.billable_seconds)
    return facts
