"""`sagemaker.json` in a job's folder: everything that any process needs to follow, stop or resume the job."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from image_classifier import durable_files
from image_classifier.cloud import s3
from image_classifier.cloud.s3 import Location

FILE = "sagemaker.json"


@dataclass(frozen=True)
class Platform:
    """What DescribeTrainingJob answered last; times are Unix times in seconds."""

    status: str = ""
    """TrainingJobStatus; empty before the job is created."""
    secondary: str = ""
    failure: str = ""
    started: float | None = None
    ended: float | None = None
    billable_seconds: int | None = None
    training_seconds: int | None = None

    @property
    def is_over(self) -> bool:
        """Whether the job has ended."""
        return self.status in ("Completed", "Failed", "Stopped")


@dataclass(frozen=True)
class Record:
    """A job on SageMaker. Times are Unix times in seconds."""

    job: str
    """Its name on the platform."""
    region: str
    profile: str
    storage: str
    """URI of the S3 folder with its data, checkpoints and results."""
    checkpoints: str
    """The name under which its checkpoints lie: that of the first job, which later ones resume."""
    requested: float
    done: int = 0
    total: int | None = None
    """Files of the upload."""
    platform: Platform = field(default_factory=Platform)
    tokens: Mapping[str, str] = field(default_factory=dict)
    """How far each stream of the log was read."""
    log_bytes: int = 0
    """Length of `job.log` that belongs to `tokens`."""
    attempt: int = 0
    """Number of the attempt to get instances, from 0."""
    short_since: float | None = None
    """When AWS first had no capacity or quota for the job."""
    waiting: str = ""
    """For what it waits between two attempts."""
    downloaded: bool = False
    """Whether there is nothing more to fetch."""
    failure: str = ""
    """Why no job was created, or why its result could not be fetched."""
    problem: str = ""
    """Why the job cannot be followed at the moment."""

    @property
    def is_over(self) -> bool:
        """Whether nothing will change any more."""
        return bool(self.failure) or self.downloaded

    @property
    def location(self) -> Location:
        """The S3 folder."""
        return s3.parse(self.storage)

    @property
    def results(self) -> Location:
        """The folder of the job's results."""
        return self.location.below(f"jobs/{self.job}/output")


def write(folder: Path, record: Record) -> None:
    """Write the record atomically.

    Raises:
        OSError: The disk is full or not writable.
    """
    durable_files.write_json(folder / FILE, asdict(record))


def read(folder: Path) -> Record | None:
    """Return the record of a folder; None without a readable one."""
    try:
        found: dict[str, Any] = json.loads((folder / FILE).read_bytes())
        return Record(**{**found, "platform": Platform(**found["platform"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
