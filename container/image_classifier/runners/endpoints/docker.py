"""An endpoint that is a container of the serve image on this machine's Docker engine."""

import datetime
import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from image_classifier import archives
from image_classifier.contract.errors import PlatformError, UserError, last_line
from image_classifier.runners.endpoints import asking
from image_classifier.runners.endpoints.record import STOP_REQUESTED, Endpoint, EndpointStatus, State

IMAGE = "image-classifier:serve"
"""The image that scripts/build makes."""
_PREFIX = "image-classifier-endpoint-"
_SECONDS, _STOP_SECONDS = 60, 40


def check(image: str) -> None:
    """Check that containers of the image can be started.

    Raises:
        UserError: The image is not on this machine.
        PlatformError: Docker is not installed, or its engine does not answer.
    """
    if shutil.which("docker") is None:
        raise PlatformError("Docker is not installed on this machine. Install it, or choose This machine.")
    done = _docker("version", "--format", "{{.Server.Version}}")
    if done.returncode != 0:
        raise PlatformError(f"Docker's engine does not answer: {_said(done)} Start it, or choose This machine.")
    if _docker("image", "inspect", "--format", "{{.Id}}", image).returncode != 0:
        raise UserError(
            f"The image {image} is not on this machine. scripts/build --target serve makes {IMAGE}; give its name, or "
            "choose This machine."
        )


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
        UserError: The model is missing, its archive is rejected, or the image is not on this machine.
        PlatformError: Docker cannot start it.
    """
    check(endpoint.image or IMAGE)
    model = archives.materialise(Path(endpoint.model), folder / "model").resolve()
    done = _run(command(endpoint, model, variables))
    if done.returncode != 0:
        raise PlatformError(f"Docker could not start the container: {_said(done)}")


def status(folder: Path, endpoint: Endpoint) -> EndpointStatus:
    """Return the status by the container, and by what the server answers."""
    asked_to_stop = (folder / STOP_REQUESTED).exists()
    found = _inspect(endpoint)
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
        PlatformError: Docker is not installed any more.
    """
    (folder / STOP_REQUESTED).touch()
    if shutil.which("docker") is None:
        raise PlatformError(f"Docker is not installed any more, so the container {_name(endpoint)} cannot be stopped.")
    words = ["kill"] if now else ["stop", "--time", str(_STOP_SECONDS)]
    subprocess.Popen(
        ["docker", *words, _name(endpoint)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def remove(endpoint: Endpoint) -> None:
    """Remove the stopped container; does nothing without it."""
    if shutil.which("docker") is not None:
        _docker("rm", _name(endpoint))


def log(endpoint: Endpoint) -> str:
    """Return the end of the container's log."""
    done = _docker("logs", "--tail", "200", _name(endpoint))
    return done.stdout + done.stderr


def _name(endpoint: Endpoint) -> str:
    return f"{_PREFIX}{endpoint.name}"


def _inspect(endpoint: Endpoint) -> Mapping[str, Any] | None:
    if shutil.which("docker") is None:
        return None
    done = _docker("inspect", "--format", "{{json .State}}", _name(endpoint))
    try:
        found = json.loads(done.stdout)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _unix_time(text: str) -> float | None:
    try:
        # Nine digits of seconds: Python reads six.
        return datetime.datetime.fromisoformat(f"{text[:19]}+00:00").timestamp()
    except ValueError:
        return None


def _docker(*words: str) -> subprocess.CompletedProcess[str]:
    return _run(["docker", *words])


def _run(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(words, 1, "", f"no answer for {_SECONDS} s")


def _said(done: subprocess.CompletedProcess[str]) -> str:
    return last_line(done.stderr or done.stdout) or f"exit code {done.returncode}."
