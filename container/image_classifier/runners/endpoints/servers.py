"""Start, find, watch and stop endpoints of every kind. Everything is keyed by the endpoint's folder in a home.

HOME/NAME/endpoint.json, endpoint.log, process.json, ...
"""

import itertools
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from image_classifier import own_files
from image_classifier.cloud.sagemaker import names
from image_classifier.contract.errors import ExplainedError, UserError
from image_classifier.runners import experiment, local_server
from image_classifier.runners.endpoints import docker, local, record, sagemaker
from image_classifier.runners.endpoints.record import DOCKER, KINDS, LOCAL, Endpoint, EndpointStatus

MOST_LOG_BYTES = 64 * 1024
_VARIABLES = {"SERVE_PAGE": "true", "SERVE_EXPLAIN": "true", "SERVE_ACCESS_LOG": "errors"}
"""Of every endpoint: with web UI and heat maps, and without a log line for each request that succeeds."""


def start(
    home: Path,
    wanted: str,
    model: Path,
    kind: str = record.LOCAL,
    *,
    job: str | None = None,
    price_per_hour: float | None = None,
    image: str | None = None,
    options: Mapping[str, str] = MappingProxyType({}),
    is_trial: bool = False,
) -> Endpoint:
    """Start an endpoint for a model and return it; it outlives this process, and is ready later.

    Args:
        home: The folder of all endpoints; made if missing.
        wanted: Its name; a number is added if that is taken.
        model: A model folder, an archive of one, or the folder of a job.
        kind: One of `record.KINDS`.
        job: The job that left the model.
        price_per_hour: What it costs, as the user says.
        image: Name of the Docker image; None: `docker.IMAGE`.
        options: Of SageMaker, see `sagemaker.declarations`; empty texts mean their defaults.
        is_trial: See `Endpoint.is_trial`.

    Raises:
        UserError: The kind is unknown, the model is missing, its archive is rejected, or an option is missing or
            invalid; nothing runs then.
        PlatformError: Docker is not available.
        OSError: The disk is full or not writable.
    """
    if kind not in KINDS:
        raise UserError(f"An endpoint of kind {kind} cannot be started; expected one of: {', '.join(KINDS)}.")
    if kind == DOCKER:
        docker.check(image or docker.IMAGE)
    chosen = {name: value for name, value in options.items() if value}
    if kind in sagemaker.KINDS:
        sagemaker.check(kind, chosen)
    given = Endpoint(
        name="",
        kind=kind,
        model=str(local_server.model_of(model).resolve()),
        port=0 if kind in sagemaker.KINDS else local_server.free_port(),
        job=job,
        price_per_hour=price_per_hour,
        image=image,
        options=chosen,
        is_trial=is_trial,
    )
    folder = own_files.new_folder(home, _names(kind, wanted))
    endpoint = replace(given, name=folder.name)
    try:
        record.write(folder, endpoint)
        _start(folder, endpoint)
    except (ExplainedError, OSError):
        # Made by this call, and nothing runs in it.
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return endpoint


def _start(folder: Path, endpoint: Endpoint) -> None:
    if endpoint.kind == DOCKER:
        docker.start(folder, endpoint, _VARIABLES)
    elif endpoint.kind == LOCAL:
        local.start(folder, endpoint, _VARIABLES)
    else:
        sagemaker.start(folder, endpoint)


def find(home: Path, name: str) -> Endpoint | None:
    """Return an endpoint by its name."""
    return record.read(home / name) if experiment.name_from(name) == name else None


def all_of(home: Path) -> list[Endpoint]:
    """Return all endpoints, the latest first."""
    folders = [path for path in home.iterdir() if path.is_dir()] if home.is_dir() else []
    found = [endpoint for folder in folders if (endpoint := record.read(folder))]
    return sorted(found, key=lambda endpoint: endpoint.created, reverse=True)


def status(home: Path, endpoint: Endpoint) -> EndpointStatus:
    """Return the status of an endpoint."""
    kinds = {LOCAL: local.status, DOCKER: docker.status}
    return kinds.get(endpoint.kind, sagemaker.status)(home / endpoint.name, endpoint)


def stop(home: Path, endpoint: Endpoint, now: bool = False) -> None:
    """Let an endpoint finish its requests and stop; with `now` kill it. On SageMaker delete it. Does not wait.

    Raises:
        ExplainedError: It cannot be stopped.
        OSError: The disk is full or not writable.
    """
    if endpoint.kind == DOCKER:
        docker.stop(home / endpoint.name, endpoint, now)
    elif endpoint.kind == LOCAL:
        local.stop(home / endpoint.name, now)
    else:
        sagemaker.stop(home / endpoint.name, endpoint)


def remove(home: Path, endpoint: Endpoint) -> None:
    """Remove the folder of an endpoint that is over, and its container. The model stays.

    Raises:
        UserError: It is running.
        OSError: A file cannot be removed.
    """
    state = status(home, endpoint).state
    if not state.is_over:
        raise UserError(f"The endpoint {endpoint.name} is {state}. Stop it first.")
    if endpoint.kind == DOCKER:
        docker.remove(endpoint)
    # Links to the model are removed, not followed.
    shutil.rmtree(home / endpoint.name)


def log(home: Path, endpoint: Endpoint) -> str:
    """Return the end of an endpoint's log, `MOST_LOG_BYTES` at most."""
    if endpoint.kind == DOCKER:
        return docker.log(endpoint)[-MOST_LOG_BYTES:]
    try:
        content = (home / endpoint.name / record.LOG).read_bytes()
    except OSError:
        return ""
    return content[-MOST_LOG_BYTES:].decode(errors="replace")


def same_in_code(endpoint: Endpoint) -> Sequence[str]:
    """Return the command by which a shell starts the same endpoint."""
    if endpoint.kind == DOCKER:
        return docker.command(endpoint, Path(endpoint.model), _VARIABLES)
    if endpoint.kind in sagemaker.KINDS:
        return sagemaker.command(endpoint)
    return ["scripts/serve-locally", endpoint.model, "--port", str(endpoint.port)]


def _names(kind: str, wanted: str) -> Iterator[str]:
    # AWS keeps a name that scripts/launch would not change.
    stem = names.plain(wanted) if kind in sagemaker.KINDS else experiment.name_from(wanted)
    yield stem
    yield from (f"{stem[:58].rstrip('-')}-{number}" for number in itertools.count(2))
