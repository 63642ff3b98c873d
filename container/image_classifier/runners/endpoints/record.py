"""What an endpoint is: asked for once, kept as `endpoint.json` in its folder."""

import enum
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from image_classifier import durable_files

FILE, PROCESS, LOG = "endpoint.json", "process.json", "endpoint.log"
STOP_REQUESTED = "stop-requested"
"""An empty file: the endpoint was stopped and did not fail."""
LOCAL, DOCKER, REAL_TIME, SERVERLESS = KINDS = ("local", "docker", "real-time", "serverless")
"""Where an endpoint is: a process here, a container here, or one of SageMaker's products."""


class State(enum.StrEnum):
    """Where an endpoint is in its life."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    """`EndpointStatus.failure` says why."""

    @property
    def is_over(self) -> bool:
        """Whether nothing runs any more."""
        return self in (State.STOPPED, State.FAILED)


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One endpoint as it was asked for."""

    name: str
    """Unique among the endpoints of a home; the name of its folder."""
    kind: str
    """One of `KINDS`."""
    model: str
    """Absolute path of a model folder, or an archive of one."""
    port: int = 0
    """Of 127.0.0.1; 0 on SageMaker."""
    job: str | None = None
    """The job that left the model."""
    price_per_hour: float | None = None
    """Given by the user, in any currency; None: not given."""
    image: str | None = None
    """Name of the Docker image."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Of SageMaker, by the names of `sagemaker.declarations`."""
    is_trial: bool = False
    """Whether it was started to try a model, and may be stopped when no page asks it any more."""
    created: float = field(default_factory=time.time)
    """Unix time in seconds."""

    @property
    def is_here(self) -> bool:
        """Whether it listens on this machine."""
        return self.kind in (LOCAL, DOCKER)

    @property
    def address(self) -> str:
        """The address of its web UI on this machine, with a slash at the end."""
        return f"http://127.0.0.1:{self.port}/"


@dataclass(frozen=True, kw_only=True)
class EndpointStatus:
    """An endpoint at one moment."""

    state: State
    started: float | None = None
    """Unix time in seconds."""
    requests: int | None = None
    """Answered `POST /invocations` since it started; None while it does not answer."""
    memory_bytes: int | None = None
    """Resident memory of its processes."""
    failure: str | None = None
    """One sentence."""


def write(folder: Path, endpoint: Endpoint) -> None:
    """Write the record durably.

    Raises:
        OSError: The disk is full or not writable.
    """
    durable_files.write_json(folder / FILE, asdict(endpoint))


def read(folder: Path) -> Endpoint | None:
    """Return the endpoint of a folder; None if it holds no record, or a corrupt one."""
    try:
        found = json.loads((folder / FILE).read_bytes())
        return Endpoint(**{**found, "name": folder.name})
    except (OSError, ValueError, TypeError):
        return None
