"""What is known about a job, wherever it runs, and what a runner can do with one.

Everything is keyed by the job's folder, in which the job lies as `job_tree` lays it out: after a restart any process
can ask for its status, stop or resume it.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from image_classifier.runners.experiment import Experiment


class State(enum.StrEnum):
    """Where a job is in its life."""

    QUEUED = "queued"
    """Asked for and not started; set by a queue, never by a runner."""
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    """Asked to stop; the best model is being saved."""
    FINISHED = "finished"
    STOPPED = "stopped"
    """Stopped on request before its last epoch. It can be resumed, and has a model if `accuracy` is known."""
    FAILED = "failed"
    """`failure` says why."""
    LOST = "lost"
    """Its processes have gone without a result: killed, out of memory, or the machine was switched off."""

    @property
    def is_over(self) -> bool:
        """Whether nothing runs any more."""
        return self in (State.FINISHED, State.STOPPED, State.FAILED, State.LOST)

    @property
    def can_resume(self) -> bool:
        """Whether the job may resume from its checkpoints, or start from scratch where it has none."""
        return self in (State.STOPPED, State.FAILED, State.LOST)


@dataclass(frozen=True)
class EpochMetrics:
    """The metrics of an epoch, or of a recipe's head."""

    number: int
    """Counted from 1, also over resumptions."""
    metrics: Mapping[str, float]
    """By the names of the log: loss, accuracy, val_loss, val_accuracy."""


@dataclass(frozen=True)
class JobStatus:
    """A job at one moment. Times are Unix times in seconds."""

    state: State
    phase: str = ""
    """What it does now, such as `Features of training images`; empty when it is over."""
    done: int = 0
    total: int | None = None
    """Of the phase, in `unit`; None: its end is not known."""
    unit: str = "images"
    """`images` or `epochs`."""
    rate: float | None = None
    """Units per second."""
    eta_seconds: float | None = None
    """Until the end of the phase."""
    epochs: tuple[EpochMetrics, ...] = ()
    planned_epochs: int | None = None
    warnings: tuple[str, ...] = ()
    """Warnings in the log, at most the last 20."""
    memory_bytes: int | None = None
    """Resident memory of all its processes."""
    started: float | None = None
    ended: float | None = None
    failure: str | None = None
    """The sentence of a failed or lost job."""
    accuracy: float | None = None
    """On the validation images, 0 to 1, once there is a model."""
    extra: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Facts of one runner for people, such as the job's ARN or the container's name."""


@dataclass(frozen=True)
class LogPart:
    """A part of a job's log."""

    text: str
    """Whole lines."""
    offset: int
    """Where the next part begins."""


class Runner(Protocol):
    """Where jobs run. The modules `local`, `docker` and `sagemaker` implement it by functions of these names."""

    def check(self, experiment: Experiment, folder: Path) -> None:
        """Check that the job can be started; changes nothing.

        Raises:
            UserError: A message that lists every problem.
            ExplainedError: What the runner needs is missing, such as Docker or credentials.
        """
        ...

    def start(self, experiment: Experiment, folder: Path) -> None:
        """Lay out `folder` and start the job in it; it outlives this process.

        Raises:
            ExplainedError: See `check`; or the folder is in use by another job; nothing runs then.
        """
        ...

    def status(self, folder: Path) -> JobStatus:
        """Return the job's status; cheap enough to be asked for every second.

        Raises:
            UserError: The folder holds no job of this runner.
        """
        ...

    def stop(self, folder: Path, now: bool = False) -> None:
        """Ask the job to stop and save its best model; with `now` kill it without saving. Does not wait.

        A job that is over is left as it is.
        """
        ...

    def resume(self, folder: Path) -> None:
        """Start a stopped, failed or lost job again in its folder, from its checkpoints.

        Raises:
            UserError: It is running, or finished.
        """
        ...

    def log(self, folder: Path, offset: int = 0) -> LogPart:
        """Return the log from a byte offset, 64 KiB at most; a negative offset counts from the end."""
        ...
