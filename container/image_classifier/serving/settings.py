"""Serving settings, read from the environment once: our own variables and those that AWS's containers share."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from image_classifier.contract import serving_variables as variables
from image_classifier.contract.errors import UserError
from image_classifier.contract.variable import Variable
from image_classifier.inference import engines
from image_classifier.inference.engines import EngineOptions
from image_classifier.resources.processors import available_processors
from image_classifier.serving.connections.limits import RESPONSES_IN_FLIGHT, SLOTLESS_THREADS
from image_classifier.serving.connections.work_limits import WorkLimits
from image_classifier.serving.formats import response_formats
from image_classifier.serving.formats.response_formats import ResponseFormat
from image_classifier.serving.rejection import RejectedError

MEGABYTE = 1024 * 1024
REAL_TIME_MEGABYTES, BATCH_MEGABYTES = 25, 100
"""Largest bodies of InvokeEndpoint and batch transform; the latter also limits all requests in flight together."""
PIXELS_PER_BYTE = 40
"""Of a request's body: photographs have 2 to 20; only files made to unpack to much more exceed it."""
EXTRA_THREADS = RESPONSES_IN_FLIGHT + SLOTLESS_THREADS
"""Threads beyond the slots: for responses still being sent, and for requests that need no slot."""
_VARIABLE, _UNIT = "variable", "unit"

_T = TypeVar("_T")


def _declared(variable: Variable[_T], unit: int = 1) -> _T:
    """Return a field that is read from a variable; a number in the variable counts units of `unit`."""
    default: Any = variable.default
    metadata = {_VARIABLE: variable, _UNIT: unit}
    field: Any = dataclasses.field(default=default * unit if unit > 1 else default, metadata=metadata)
    return cast("_T", field)


@dataclass(frozen=True, kw_only=True)
class ExecutionParameters:
    """The answer to `GET /execution-parameters` of batch transform: its caller's choices, else our defaults."""

    concurrent_transforms: int = variables.MAX_CONCURRENT_TRANSFORMS.default
    strategy: str = variables.BATCH_STRATEGY.default
    payload_megabytes: int = variables.MAX_PAYLOAD.default

    def json(self, precision: str | None = None) -> str:
        """Return them under the names of the platform's API, and the precision, a key of our own, unless it is None."""
        return json.dumps(
            {
                "MaxConcurrentTransforms": self.concurrent_transforms,
                "BatchStrategy": self.strategy,
                "MaxPayloadInMB": self.payload_megabytes,
                **({"Precision": precision} if precision else {}),
            }
        )


@dataclass(frozen=True, kw_only=True)
class ServingSettings:
    """Serving settings; meaning and range of each variable are declared in contract/serving_variables.py."""

    port: int = _declared(variables.PORT)
    host: str = _declared(variables.HOST)
    workers: int = _declared(variables.WORKERS)
    in_flight: int = _declared(variables.IN_FLIGHT)
    header_seconds: int = _declared(variables.HEADER_SECONDS)
    body_seconds: int = _declared(variables.BODY_SECONDS)
    max_body_bytes: int = _declared(variables.MAX_BODY, MEGABYTE)
    body_memory_bytes: int = _declared(variables.BODY_MEMORY, MEGABYTE)
    max_pixels: int = _declared(variables.MAX_PIXELS)
    max_request_pixels: int = _declared(variables.MAX_REQUEST_PIXELS)
    image_memory_bytes: int = _declared(variables.IMAGE_MEMORY, MEGABYTE)
    decode_memory_bytes: int | None = None
    """Of all images that a process decodes at a time; None: computed from the free memory."""
    work_seconds: float = _declared(variables.WORK_SECONDS)
    response_file_bytes: int = _declared(variables.ANSWER_FILES, MEGABYTE)
    max_worker_crashes: int = _declared(variables.WORKER_CRASHES)
    timeout_seconds: int = _declared(variables.TIMEOUT)
    """Heartbeat timeout after which gunicorn kills a worker."""
    default_format: ResponseFormat = response_formats.PLAIN
    trust_model: bool = _declared(variables.TRUST_MODEL)
    engine: EngineOptions = engines.DEFAULT_OPTIONS
    log_level: int = _declared(variables.LOG_LEVEL)
    access_log: str = _declared(variables.ACCESS_LOG)
    program: str = _declared(variables.PROGRAM)
    """SAGEMAKER_PROGRAM, which is ignored."""
    model_roots: tuple[Path, ...] = ()
    """Folders from which a multi-model server may load models."""
    page: bool = _declared(variables.PAGE)
    explain: bool = _declared(variables.EXPLAIN)
    samples: Path | None = None
    """Folder of images that the web UI offers."""
    allowed_hosts: tuple[str, ...] = ()
    """In addition to this machine's names and the bound address, with the web UI on."""
    multi_model: bool = _declared(variables.MULTI_MODEL)
    execution_parameters: ExecutionParameters = ExecutionParameters()

    @property
    def work_limits(self) -> WorkLimits:
        """Limits on the cost of a request's images."""
        return WorkLimits(
            max_pixels=self.max_pixels,
            max_request_pixels=self.max_request_pixels,
            image_memory_bytes=self.image_memory_bytes,
            decode_memory_bytes=self.decode_memory_bytes,
            seconds=self.work_seconds,
            processes=self.workers,
        )

    @property
    def threads(self) -> int:
        """Threads per worker."""
        return self.in_flight + EXTRA_THREADS


def read(environment: Mapping[str, str]) -> ServingSettings:
    """Read the settings; unset and empty variables keep the defaults.

    Raises:
        UserError: Values are invalid; the message names all of them.
    """
    reader = _Reader(environment)
    values = reader.declared_values()
    payload = reader.get(variables.MAX_PAYLOAD, 0)
    default_megabytes = payload or (BATCH_MEGABYTES if reader.get(variables.BATCH) else REAL_TIME_MEGABYTES)
    megabytes = reader.get(variables.MAX_BODY, default_megabytes)
    computed = {
        "in_flight": reader.get(variables.IN_FLIGHT, min(max(64, 32 * available_processors()), 1000)),
        "max_body_bytes": megabytes * MEGABYTE,
        "body_memory_bytes": max(reader.get(variables.BODY_MEMORY, 4 * megabytes), megabytes) * MEGABYTE,
        "max_request_pixels": reader.get(variables.MAX_REQUEST_PIXELS, PIXELS_PER_BYTE * megabytes * MEGABYTE),
        "decode_memory_bytes": reader.get(variables.DECODE_MEMORY, 0) * MEGABYTE or None,
        "timeout_seconds": max(variables.TIMEOUT.default, values["timeout_seconds"]),
        "default_format": reader.parse(variables.DEFAULT_ACCEPT, response_formats.PLAIN, _format),
        "engine": EngineOptions(
            reader.get(variables.ENGINE), reader.get(variables.PRECISION), sole_process=values["workers"] == 1
        ),
        "model_roots": reader.parse(variables.MODEL_ROOTS, tuple[Path, ...](), _folders),
        "samples": next(iter(reader.parse(variables.SAMPLES, tuple[Path, ...](), _folders)), None),
        "allowed_hosts": tuple(reader.get(variables.ALLOWED_HOSTS).lower().replace(",", " ").split()),
        "execution_parameters": _execution_parameters(reader, payload, megabytes),
    }
    settings = ServingSettings(**{**values, **computed})
    if settings.default_format.explanation and not settings.explain:
        reader.problems.append(
            f"{variables.DEFAULT_ACCEPT.name} asks for explanations, which {variables.EXPLAIN.name} does not allow. "
            f"Set {variables.EXPLAIN.name} to true, or leave explain out."
        )
    if settings.multi_model:
        reader.problems += _multi_model_conflicts(settings)
    if reader.problems:
        raise UserError(" ".join(dict.fromkeys(reader.problems)))
    return settings


def _multi_model_conflicts(settings: ServingSettings) -> list[str]:
    mode = f"{variables.MULTI_MODEL.name} is true"
    problems: list[str] = []
    if settings.workers > 1:
        problems.append(
            f"{variables.WORKERS.name} is {settings.workers}, and {mode}: a single process holds all models, since "
            "several could not agree on which are loaded. Leave the variable out, or set it to 1."
        )
    if settings.engine.engine == "tensorflow":
        problems.append(
            f"{variables.ENGINE.name} is tensorflow, which does not free memory when a model is unloaded, and {mode}. "
            "Leave the variable out."
        )
    return problems


def _execution_parameters(reader: "_Reader", payload: int, largest_body: int) -> ExecutionParameters:
    # Twice the CPUs: while half of the requests are computed, the others are in transit.
    default = min(max(2 * available_processors(), 4), 16, BATCH_MEGABYTES // payload if payload else 16)
    concurrent = reader.get(variables.MAX_CONCURRENT_TRANSFORMS, max(default, 1))
    strategy = reader.get(variables.BATCH_STRATEGY)
    # Version 2 of the SDK, which sets True where the platform sets true, expects its own spelling in the response.
    if reader.environment.get(variables.BATCH.name) == "True":
        strategy = {"MULTI_RECORD": "MultiRecord", "SINGLE_RECORD": "SingleRecord"}[strategy]
    return ExecutionParameters(
        concurrent_transforms=concurrent,
        strategy=strategy,
        payload_megabytes=min(payload or max(BATCH_MEGABYTES // concurrent, 1), largest_body),
    )


class _Reader:
    def __init__(self, environment: Mapping[str, str]):
        self.environment = environment
        self.problems: list[str] = []

    def declared_values(self) -> dict[str, Any]:
        """Return the values of all fields that name their variable."""
        declared = {field.name: field.metadata for field in dataclasses.fields(ServingSettings) if field.metadata}
        values = {name: (self.get(metadata[_VARIABLE]), metadata[_UNIT]) for name, metadata in declared.items()}
        return {name: value * unit if unit > 1 else value for name, (value, unit) in values.items()}

    def get(self, variable: Variable[_T], default: _T | None = None) -> _T:
        """Return the value; if unset `default`, or without that the declared default."""
        return self.parse(variable, variable.default if default is None else default, variable.parse)

    def parse(self, variable: Variable[Any], default: _T, parse: Callable[[str], _T]) -> _T:
        """Return the value as converted by `parse`, or `default` if unset; an invalid one is added to `problems`."""
        text = self.environment.get(variable.name, "").strip()
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as error:
            allowed = str(error) or variable.allowed
            self.problems.append(f"The environment variable {variable.name} is {text!r}; allowed: {allowed}.")
            return default


def _folders(text: str) -> tuple[Path, ...]:
    found = tuple(Path(part) for part in text.split(":") if part)
    if not found or not all(path.is_absolute() for path in found):
        raise ValueError
    return found


def _format(text: str) -> ResponseFormat:
    try:
        return response_formats.negotiate(text)
    except RejectedError as rejection:
        raise ValueError(", ".join(response_formats.OFFERS)) from rejection
