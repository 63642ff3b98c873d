"""Servers to try models: one is started when a Try screen opens, and only the two that were used last keep running."""

import threading
import time
from pathlib import Path

from image_classifier.contract.errors import UserError
from image_classifier.runners.endpoints import servers
from image_classifier.runners.endpoints.record import LOCAL, Endpoint, EndpointStatus, State

MOST = 2
"""Servers for trials; each holds a model in memory."""
FOLDER = "deployments"
"""Of all endpoints, in the console's home."""
_NAME = "try-"
_PATIENCE, _PAUSE = 20.0, 0.1
"""Seconds that a request waits for a server that is starting, and between two polls of it."""
_starting = threading.Lock()


def home_of(console_home: Path) -> Path:
    """Return the folder of all endpoints of a console."""
    return console_home / FOLDER


def find(home: Path, job: str) -> Endpoint | None:
    """Return the running trial server of a job."""
    for endpoint in _running(home):
        if endpoint.job == job:
            return endpoint
    return None


def start(home: Path, job: str, folder: Path) -> Endpoint:
    """Return the trial server of a job, and start it if none is running; the ones beyond `MOST` are stopped.

    Raises:
        UserError: The job has no model.
        OSError: The disk is full or not writable.
    """
    with _starting:
        if found := find(home, job):
            return found
        if not (folder / "model").is_dir():
            raise UserError(f"Job {job} has no model to try. Train it to its end first.")
        _remove_those_that_are_over(home)
        for endpoint in _running(home)[MOST - 1 :]:
            servers.stop(home, endpoint)
        return servers.start(home, f"{_NAME}{job}", folder / "model", LOCAL, job=job, is_trial=True)


def settled(home: Path, endpoint: Endpoint) -> EndpointStatus:
    """Return the status of an endpoint as soon as it is ready or over, at the latest after `_PATIENCE`."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        status = servers.status(home, endpoint)
        if status.state is not State.STARTING or time.monotonic() > deadline:
            return status
        time.sleep(_PAUSE)


def _running(home: Path) -> list[Endpoint]:
    """Return the trial servers that run, the latest first."""
    states = ((one, servers.status(home, one).state) for one in servers.all_of(home) if one.is_trial)
    return [endpoint for endpoint, state in states if state in (State.STARTING, State.READY)]


def _remove_those_that_are_over(home: Path) -> None:
    for endpoint in servers.all_of(home):
        if endpoint.is_trial and servers.status(home, endpoint).state.is_over:
            servers.remove(home, endpoint)
