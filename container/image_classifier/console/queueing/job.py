"""One job as the console knows it."""

from dataclasses import dataclass
from pathlib import Path

from image_classifier.runners.experiment import Experiment
from image_classifier.runners.job import JobStatus, State


@dataclass(frozen=True)
class Job:
    """A job at one moment."""

    name: str
    """Unique in this console; also the name of its folder."""
    folder: Path
    """Where it lies once it was started."""
    experiment: Experiment
    status: JobStatus
    requested: float
    """When it was asked for last, to start or to resume: Unix time in seconds."""
    position: int | None = None
    """In the queue, from 1; None: it does not wait."""

    @property
    def is_waiting(self) -> bool:
        """Whether it is in the queue."""
        return self.status.state == State.QUEUED

    @property
    def is_live(self) -> bool:
        """Whether something of it runs."""
        return not self.is_waiting and not self.status.state.is_over

    @property
    def has_model(self) -> bool:
        """Whether it left a model that can be judged and tried."""
        return self.status.state.is_over and self.status.accuracy is not None
