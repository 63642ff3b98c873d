"""An endpoint that is a process of this machine: `container/serve`, detached."""

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from image_classifier import PROGRAM
from image_classifier.contract.errors import UserError, last_line
from image_classifier.contract.opt_ml import BASE_DIR_VARIABLE
from image_classifier.runners import local_server, processes
from image_classifier.runners.endpoints import asking
from image_classifier.runners.endpoints.record import LOG, PROCESS, STOP_REQUESTED, Endpoint, EndpointStatus, State
from image_classifier.runners.processes import ProcessRecord

_TREE = "opt-ml"
_LAST_BYTES = 4096


def start(folder: Path, endpoint: Endpoint, variables: Mapping[str, str]) -> None:
    """Start the server; it outlives this process.

    Raises:
        UserError: The model is missing, or its archive is rejected.
        OSError: The disk is full or not writable.
    """
    tree = local_server.build_tree(Path(endpoint.model), folder / _TREE)
    environment = {
        **os.environ,
        **variables,
        BASE_DIR_VARIABLE: str(tree.base),
        "SAGEMAKER_BIND_TO_PORT": str(endpoint.port),
        "SERVE_HOST": local_server.HOST,
    }
    started = processes.start([sys.executable, str(PROGRAM / "serve")], environment, folder / LOG, folder)
    processes.write(folder / PROCESS, started)


def status(folder: Path, endpoint: Endpoint) -> EndpointStatus:
    """Return the status by the process, and by what the server answers."""
    found = processes.read(folder / PROCESS)
    members = processes.session(found) if found else []
    asked_to_stop = (folder / STOP_REQUESTED).exists()
    if found is None or not members:
        if asked_to_stop:
            return EndpointStatus(state=State.STOPPED)
        return EndpointStatus(state=State.FAILED, failure=_reason(folder))
    started, memory = processes.started_at(found), processes.memory_bytes(members)
    if asked_to_stop:
        return EndpointStatus(state=State.STOPPING, started=started, memory_bytes=memory)
    if not asking.is_ready(endpoint.port):
        return EndpointStatus(state=State.STARTING, started=started, memory_bytes=memory)
    requests = asking.answered_requests(endpoint.port)
    return EndpointStatus(state=State.READY, started=started, memory_bytes=memory, requests=requests)


def stop(folder: Path, now: bool) -> None:
    """Let the server drain its requests and exit; with `now` kill it. Does not wait.

    Raises:
        UserError: It belongs to another user.
        OSError: The disk is full or not writable.
    """
    (folder / STOP_REQUESTED).touch()
    found = processes.read(folder / PROCESS)
    if found is None:
        return
    try:
        _end(found, now)
    except PermissionError as error:
        raise UserError(f"Process {found.pid} belongs to another user, who has to stop it.") from error


def _end(found: ProcessRecord, now: bool) -> None:
    if now or not processes.send(found, signal.SIGTERM):
        processes.kill_session(found)


def _reason(folder: Path) -> str:
    try:
        with (folder / LOG).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _LAST_BYTES))
            return last_line(log.read().decode(errors="replace"))
    except OSError:
        return "The server has exited, and its log cannot be read."
