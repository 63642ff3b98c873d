"""How to serve, read from the environment once: our own variables and those that AWS's containers know."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from image_classifier.contract import serving_variables as variables
from image_classifier.contract.errors import UserError
from image_classifier.contract.variable import Variable
from image_classifier.inference import engines
from image_classifier.inference.engines import EngineOptions
from image_classifier.resources.processors import available_processors
from image_classifier.serving.connections.limits import ANSWERS_ON_THEIR_WAY, OTHERS_AT_ONCE
from image_classifier.serving.connections.work_limits import WorkLimits
from image_classifier.serving.formats import response_formats
from image_classifier.serving.formats.response_formats import ResponseFormat
from image_classifier.serving.rejection import RejectedError

MEGABYTE = 1024 * 1024
REAL_TIME_MEGABYTES, BATCH_MEGABYTES = 25, 100
"""What InvokeEndpoint and batch transform send at most; batch transform also in all requests on their way together."""
PIXELS_PER_BYTE = 40
"""Of a request's body: photographs have 2 to 20, so that only what is made to unpack to much has more."""
RESERVE = ANSWERS_ON_THEIR_WAY + OTHERS_AT_ONCE
"""Threads beyond the slots: for answers that are still sent, and for requests that need no slot."""

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class ExecutionParameters:
    """What batch transform is told: its caller's choices, ours where there is none."""

    concurrent_transforms: int = variables.MAX_CONCURRENT_TRANSFORMS.default
    strategy: str = variables.BATCH_STRATEGY.default
    payload_megabytes: int = variables.MAX_PAYLOAD.default

    def json(self) -> str:
        """Return them under the names of the platform's API."""
        return json.dumps(
            {
                "MaxConcurrentTransforms": self.concurrent_transforms,
                "BatchStrategy": self.strategy,
                "MaxPayloadInMB": self.payload_megabytes,
            }
        )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to serve. What the variables mean and allow is declared in contract/serving_variables.py."""

    port: int = variables.PORT.default
    host: str = variables.HOST.default
    workers: int = variables.WORKERS.default
    in_flight: int = variables.IN_FLIGHT.default
    header_seconds: int = variables.HEADER_SECONDS.default
    body_seconds: int = variables.BODY_SECONDS.default
    max_body_bytes: int = REAL_TIME_MEGABYTES * MEGABYTE
    body_memory_bytes: int = variables.BODY_MEMORY.default * MEGABYTE
    max_pixels: int = variables.MAX_PIXELS.default
    max_request_pixels: int = variables.MAX_REQUEST_PIXELS.default
    image_memory_bytes: int = variables.IMAGE_MEMORY.default * MEGABYTE
    decode_memory_bytes: int | None = None
    """Of all images that a process decodes at a time; None: by what is free."""
    work_seconds: float = variables.WORK_SECONDS.default
    answer_file_bytes: int = variables.ANSWER_FILES.default * MEGABYTE
    worker_deaths: int = variables.WORKER_DEATHS.default
    timeout_seconds: int = variables.TIMEOUT.default
    """After which gunicorn takes a process that shows no sign of life for dead."""
    default_form: ResponseFormat = response_formats.PLAIN
    trust_model: bool = variables.TRUST_MODEL.default
    engine: EngineOptions = engines.DEFAULT_OPTIONS
    """Which engine runs the network, and in what it computes."""
    log_level: int = variables.LOG_LEVEL.default
    access_log: str = variables.ACCESS_LOG.default
    program: str = variables.PROGRAM.default
    """What SAGEMAKER_PROGRAM names, which is not run."""
    model_roots: tuple[Path, ...] = ()
    """Where models may lie that a server of many is asked to load."""
    page: bool = variables.PAGE.default
    allowed_hosts: tuple[str, ...] = ()
    """Beside this machine's names and the bound one, where the page is on."""
    multi_model: bool = variables.MULTI_MODEL.default
    execution_parameters: ExecutionParameters = ExecutionParameters()

    @property
    def work_limits(self) -> WorkLimits:
        """What the images of a request may cost."""
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
        """Threads a process."""
        return self.in_flight + RESERVE


def read(environment: Mapping[str, str]) -> Settings:
    """Read the settings; unset and empty variables keep the defaults.

    Raises:
        UserError: Values are not allowed; the message names all of them.
    """
    reader = _Reader(environment)
    payload = reader.get(variables.MAX_PAYLOAD, 0)
    usual = BATCH_MEGABYTES if reader.get(variables.BATCH) else REAL_TIME_MEGABYTES
    megabytes = reader.get(variables.MAX_BODY, payload or usual)
    workers = reader.get(variables.WORKERS)
    settings = Settings(
        port=reader.get(variables.PORT),
        host=reader.get(variables.HOST),
        workers=workers,
        in_flight=reader.get(variables.IN_FLIGHT, min(max(64, 32 * available_processors()), 1000)),
        header_seconds=reader.get(variables.HEADER_SECONDS),
        body_seconds=reader.get(variables.BODY_SECONDS),
        max_body_bytes=megabytes * MEGABYTE,
        body_memory_bytes=max(reader.get(variables.BODY_MEMORY, 4 * megabytes), megabytes) * MEGABYTE,
        max_pixels=reader.get(variables.MAX_PIXELS),
        max_request_pixels=reader.get(variables.MAX_REQUEST_PIXELS, PIXELS_PER_BYTE * megabytes * MEGABYTE),
        image_memory_bytes=reader.get(variables.IMAGE_MEMORY) * MEGABYTE,
        decode_memory_bytes=reader.get(variables.DECODE_MEMORY, 0) * MEGABYTE or None,
        work_seconds=reader.get(variables.WORK_SECONDS),
        answer_file_bytes=reader.get(variables.ANSWER_FILES) * MEGABYTE,
        worker_deaths=reader.get(variables.WORKER_DEATHS),
        timeout_seconds=max(variables.TIMEOUT.default, reader.get(variables.TIMEOUT)),
        default_form=reader.understood(variables.DEFAULT_ACCEPT, response_formats.PLAIN, _form),
        trust_model=reader.get(variables.TRUST_MODEL),
        engine=EngineOptions(reader.get(variables.ENGINE), reader.get(variables.PRECISION), sole_process=workers == 1),
        log_level=reader.get(variables.LOG_LEVEL),
        access_log=reader.get(variables.ACCESS_LOG),
        program=reader.get(variables.PROGRAM),
        model_roots=reader.understood(variables.MODEL_ROOTS, (), _folders),
        page=reader.get(variables.PAGE),
        allowed_hosts=tuple(reader.get(variables.ALLOWED_HOSTS).lower().replace(",", " ").split()),
        multi_model=reader.get(variables.MULTI_MODEL),
        execution_parameters=_execution_parameters(reader, payload, megabytes),
    )
    if settings.multi_model:
        reader.problems += _against_many_models(settings)
    if reader.problems:
        raise UserError(" ".join(reader.problems))
    return settings


def _against_many_models(settings: Settings) -> list[str]:
    mode = f"{variables.MULTI_MODEL.name} is true"
    problems: list[str] = []
    if settings.workers > 1:
        problems.append(
            f"{variables.WORKERS.name} is {settings.workers}, and {mode}: one process holds all models, since several "
            "could not agree on what is loaded. Leave the variable out, or set it to 1."
        )
    if settings.engine.engine == "tensorflow":
        problems.append(
            f"{variables.ENGINE.name} is tensorflow, which does not give memory back when a model is unloaded, and "
            f"{mode}. Leave the variable out."
        )
    return problems


def _execution_parameters(reader: "_Reader", payload: int, largest_body: int) -> ExecutionParameters:
    # Twice the CPUs: while one half of the requests is computed, the other is on its way.
    usual = min(max(2 * available_processors(), 4), 16, BATCH_MEGABYTES // payload if payload else 16)
    concurrent = reader.get(variables.MAX_CONCURRENT_TRANSFORMS, max(usual, 1))
    strategy = reader.get(variables.BATCH_STRATEGY)
    # Version 2 of the SDK, which sets True where the platform sets true, takes the answer for a word of its own.
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

    def get(self, variable: Variable[_T], default: _T | None = None) -> _T:
        """Return the value; without one `default`, and without that the declared default."""
        return self.understood(variable, variable.default if default is None else default, variable.parse)

    def understood(self, variable: Variable[Any], default: _T, parse: Callable[[str], _T]) -> _T:
        """Return what `parse` makes of the text, `default` without one; what it rejects becomes a problem."""
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


def _form(text: str) -> ResponseFormat:
    try:
        return response_formats.negotiate(text)
    except RejectedError as rejection:
        raise ValueError(", ".join(response_formats.OFFERS)) from rejection
