"""States and progress of a job in words."""

from pathlib import PurePath
from typing import NamedTuple

from image_classifier.console.queueing.job import Job
from image_classifier.runners import experiment
from image_classifier.runners.job import JobStatus, State


class Badge(NamedTuple):
    """The state of a job, and the class of its badge."""

    text: str
    kind: str


BADGES = {
    State.QUEUED: Badge("waiting", ""),
    State.STARTING: Badge("starting", "accent"),
    State.RUNNING: Badge("running", "accent"),
    State.STOPPING: Badge("stopping", "warn"),
    State.FINISHED: Badge("finished", "good"),
    State.STOPPED: Badge("stopped", "warn"),
    State.FAILED: Badge("failed", "bad"),
    State.LOST: Badge("lost", "bad"),
}
RUNNERS = {experiment.LOCAL: "this machine", experiment.DOCKER: "Docker", experiment.SAGEMAKER: "SageMaker"}
DEFAULT_MODEL = "EfficientNet-Lite0"


def data_name(job: Job) -> str:
    """Return what the job trains on: the last part of its folder or address that says more than `train`."""
    path = PurePath(job.experiment.training)
    name = path.parent.name if path.name.lower() in ("train", "training") else path.name
    return name or job.experiment.training


def model_name(job: Job) -> str:
    """Return what the job starts from: the catalogue's id, or the last part of a folder or an address."""
    model = job.experiment.model
    return DEFAULT_MODEL if model is None else PurePath(model).name or model


def phase(status: JobStatus) -> str:
    """Return what the job does now."""
    if status.state == State.STOPPING:
        return "Stopping: the best model so far is being saved"
    return status.phase or {State.STARTING: "Starting"}.get(status.state, "")


def progress(status: JobStatus) -> str:
    """Return how far the phase is: `1,024 of 1,422 images`; empty when that is not known."""
    if not status.total:
        return ""
    if status.unit == "epochs":
        return f"epoch {status.done} of {status.total}"
    return f"{status.done:,} of {status.total:,} {status.unit}"


def best_accuracy(status: JobStatus) -> float | None:
    """Return the accuracy of the model, or the best one so far, on the validation images: 0 to 1."""
    if status.accuracy is not None:
        return status.accuracy
    found = [one.metrics["val_accuracy"] for one in status.epochs if "val_accuracy" in one.metrics]
    return max(found, default=None)


def seconds(status: JobStatus, now: float) -> float | None:
    """Return how long the job has run."""
    if status.started is None:
        return None
    return max(0.0, (status.ended or now) - status.started)
