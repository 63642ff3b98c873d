"""An endpoint that is a container of the serve image on this machine's Docker engine."""

import datetime
import os
from collections.abc import Mapping
from pathlib import Path

from image_classifier import archives
from image_classifier.contract.errors import PlatformError, last_line
from image_classifier.runners import docker_engine, processes
from image_classifier.runners.endpoints import asking
from image_classifier.runners.endpoints.record import LOG, STOP_REQUESTED, Endpoint, EndpointStatus, State

IMAGE = "image-classifier:serve"
"""The image that scripts/build makes."""
_PREFIX = "image-classifier-endpoint-"
_STOP_SECONDS = 40
"""For the requests that it is answering."""


def check(image: str) -> None:
    """Check that containers of the image can be started.

    Raises:
        PlatformError: Docker is not installed or does not answer, or the image is not on this machine.
    """
    if reason := docker_engine.lacks(image, "scripts/build --target serve"):
        raise PlatformError(reason)


def command(endpoint: Endpoint, model: Path, variables: Mapping[str, str]) -> list[str]:
    """Return the command that starts the endpoint; its port is published on this machine alone."""
    environment = [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
    return [
        *("docker", "run", "--detach", "--name", _name(endpoint)),
        *("--publish", f"127.0.0.1:{endpoint.port}:8080"),
        *("--volume", f"{model}:/opt/ml/model:ro"),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
        *(*environment, endpoint.image or IMAGE, "serve"),
    ]


def start(folder: Path, endpoint: Endpoint, variables: Mapping[str, str]) -> None:
    """Start the container; it outlives this process.

    Raises:
        UserError: The model is missing, or its archive is rejected.
        PlatformError: Docker cannot start it.
    """
    check(endpoint.image or IMAGE)
    model = archives.materialise(Path(endpoint.model), folder / "model").resolve()
    done = docker_engine.ask(*command(endpoint, model, variables)[1:])
    if done.returncode != 0:
        raise PlatformError(f"Docker could not start the container: {last_line(done.stderr)}")


def status(folder: Path, endpoint: Endpoint) -> EndpointStatus:
    """Return the status by the container, and by what the server answers."""
    asked_to_stop = (folder / STOP_REQUESTED).exists()
    try:
        found = docker_engine.state(_name(endpoint))
    except PlatformError as error:
        return EndpointStatus(state=State.FAILED, failure=f"Its state is unknown: {error}")
    if found is None or not found.get("Running"):
        if asked_to_stop:
            return EndpointStatus(state=State.STOPPED)
        reason = "The container was removed." if found is None else last_line(log(endpoint))
        return EndpointStatus(state=State.FAILED, failure=reason)
    started = _unix_time(str(found.get("StartedAt", "")))
    if asked_to_stop:
        return EndpointStatus(state=State.STOPPING, started=started)
    if not asking.is_ready(endpoint.port):
        return EndpointStatus(state=State.STARTING, started=started)
    return EndpointStatus(state=State.READY, started=started, requests=asking.answered_requests(endpoint.port))


def stop(folder: Path, endpoint: Endpoint, now: bool) -> None:
    """Let the server drain its requests and exit; with `now` kill it. Does not wait.

    Raises:
        PlatformError: Docker does not answer; the container may be running.
    """
    docker_engine.state(_name(endpoint))
    (folder / STOP_REQUESTED).touch()
    words = ["kill"] if now else ["stop", "--time", str(_STOP_SECONDS)]
    processes.start(["docker", *words, _name(endpoint)], os.environ, folder / LOG, folder)


def remove(endpoint: Endpoint) -> None:
    """Remove the stopped container; does nothing without it.

    Raises:
        PlatformError: Docker does not answer, or the container is running.
    """
    if docker_engine.state(_name(endpoint)) is None:
        return
    done = docker_engine.ask("rm", _name(endpoint))
    if done.returncode != 0:
        raise PlatformError(f"Docker could not remove the container: {last_line(done.stderr)}")


def log(endpoint: Endpoint) -> str:
    """Return the end of the container's log, or why it cannot be read."""
    try:
        done = docker_engine.ask("logs", "--tail", "200", _name(endpoint))
    except PlatformError as error:
        return str(error)
    return done.stdout + done.stderr


def _name(endpoint: Endpoint) -> str:
    return f"{_PREFIX}{endpoint.name}"


def _unix_time(text: str) -> float | None:
    try:
        # Nine digits of seconds: Python reads six.
        return datetime.datetime.fromisoformat(f"{text[:19]}+00:00").timestamp()
    except ValueError:
        return None
