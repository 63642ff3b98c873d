"""An endpoint on SageMaker: `scripts/launch deploy` and `delete` as detached processes, and what the API says of it."""

import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from image_classifier import PROGRAM
from image_classifier.cloud.sagemaker import endpoint_options, options
from image_classifier.cloud.sagemaker.kinds import ENDPOINT
from image_classifier.cloud.sagemaker.session import open_session
from image_classifier.contract.declaration import Declaration
from image_classifier.contract.errors import ExplainedError, UserError, last_line
from image_classifier.runners import processes
from image_classifier.runners.endpoints.record import LOG, PROCESS, STOP_REQUESTED, Endpoint, EndpointStatus, State

_OF_THE_JOB = ("image", "role", "location", "region", "profile")
_OF_THE_ENDPOINT = {
    endpoint_options.REAL_TIME: ("endpoint_instance_type",),
    endpoint_options.SERVERLESS: ("memory_mb", "max_concurrency"),
}
KINDS = tuple(_OF_THE_ENDPOINT)
_STARTING = ("Creating", "Updating", "SystemUpdating", "RollingBack")
_FRESH_SECONDS = 15.0
"""How long an answer of the API is shown before it is asked again."""
_LAST_BYTES = 4096
_lock = threading.Lock()
_answers: dict[str, tuple[float, EndpointStatus]] = {}


def declarations(kind: str) -> tuple[Declaration, ...]:
    """Return the options that a kind of endpoint takes, for a form."""
    ours = tuple(one for one in options.DECLARATIONS if one.name in _OF_THE_JOB)
    return ours + tuple(one for one in endpoint_options.DECLARATIONS if one.name in _OF_THE_ENDPOINT[kind])


def check(kind: str, given: Mapping[str, str]) -> None:
    """Check the options of an endpoint; sends nothing.

    Raises:
        UserError: One message with every problem: options that are missing, and values that are not allowed.
    """
    of_the_job = {name: value for name, value in given.items() if name in _OF_THE_JOB}
    others = {name: value for name, value in given.items() if name in _OF_THE_ENDPOINT[kind]}
    problems = []
    try:
        problems += options.missing(options.parse(of_the_job))
    except UserError as error:
        problems.append(str(error))
    try:
        endpoint_options.parse({"kind": kind, **others})
    except UserError as error:
        problems.append(str(error))
    if problems:
        raise UserError(" ".join(problems))


def command(endpoint: Endpoint) -> list[str]:
    """Return the command that deploys an endpoint; options with their defaults are left out."""
    flags = [word for name, value in endpoint.options.items() for word in (_flag(name), value)]
    return ["scripts/launch", "deploy", endpoint.model, "--name", endpoint.name, "--kind", endpoint.kind, *flags]


def start(folder: Path, endpoint: Endpoint) -> None:
    """Upload the model and create the endpoint, in a process that outlives this one.

    Raises:
        OSError: The disk is full or not writable.
    """
    _run(folder, command(endpoint))


def status(folder: Path, endpoint: Endpoint) -> EndpointStatus:
    """Return the status by the process that deploys or deletes, else by the API, which is asked every 15 seconds."""
    found = processes.read(folder / PROCESS)
    asked_to_stop = (folder / STOP_REQUESTED).exists()
    if found and processes.is_running(found):
        return EndpointStatus(state=State.STOPPING if asked_to_stop else State.STARTING, started=endpoint.created)
    with _lock:
        seen, kept = _answers.get(str(folder), (-_FRESH_SECONDS, None))
    if kept and time.monotonic() - seen < _FRESH_SECONDS:
        return kept
    current = _asked(folder, endpoint, asked_to_stop)
    with _lock:
        _answers[str(folder)] = (time.monotonic(), current)
    return current


def stop(folder: Path, endpoint: Endpoint) -> None:
    """Delete the endpoint, its configuration and its model, in a process that outlives this one. Does not wait.

    Raises:
        UserError: It is being created; or AWS rejects the request.
        PlatformError: AWS cannot be reached.
        OSError: The disk is full or not writable.
    """
    process = processes.read(folder / PROCESS)
    if process and processes.is_running(process):
        raise UserError(f"The endpoint {endpoint.name} is still being created or deleted. Stop it when that is done.")
    found = _described(endpoint)
    (folder / STOP_REQUESTED).touch()
    with _lock:
        _answers.pop(str(folder), None)
    if found is None:
        return
    places = [
        word for name in ("region", "profile") if (value := endpoint.options.get(name)) for word in (_flag(name), value)
    ]
    # `scripts/launch deploy` gives model and configuration one name.
    _run(folder, ["scripts/launch", "delete", endpoint.name, str(found["EndpointConfigName"]), "--yes", *places])


def _described(endpoint: Endpoint) -> dict[str, Any] | None:
    session = open_session(endpoint.options.get("region", ""), endpoint.options.get("profile", ""))
    return session.find(ENDPOINT.call("Describe", endpoint.name))


def _run(folder: Path, words: list[str]) -> None:
    program = str(PROGRAM.parent / words[0])
    started = processes.start([program, *words[1:]], os.environ, folder / LOG, folder)
    processes.write(folder / PROCESS, started)


def _asked(folder: Path, endpoint: Endpoint, asked_to_stop: bool) -> EndpointStatus:
    try:
        found = _described(endpoint)
    except ExplainedError as error:
        return EndpointStatus(state=State.FAILED, failure=f"Its state is unknown, so it may cost money: {error}")
    if found is None:
        if asked_to_stop:
            return EndpointStatus(state=State.STOPPED)
        return EndpointStatus(state=State.FAILED, failure=_reason(folder))
    word, started = str(found["EndpointStatus"]), found["CreationTime"].timestamp()
    if word == "InService":
        # A deletion that failed leaves it in service: it can be stopped again.
        return EndpointStatus(state=State.READY, started=started)
    if word in _STARTING:
        return EndpointStatus(state=State.STARTING, started=started)
    if word == "Deleting":
        return EndpointStatus(state=State.STOPPING, started=started)
    reason = f"{found.get('FailureReason', word)} It exists until it is deleted: scripts/launch delete {endpoint.name}"
    return EndpointStatus(state=State.FAILED, started=started, failure=reason)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _reason(folder: Path) -> str:
    try:
        return last_line((folder / LOG).read_bytes()[-_LAST_BYTES:].decode(errors="replace"))
    except OSError:
        return "It does not exist on SageMaker, and the log of its creation cannot be read."
