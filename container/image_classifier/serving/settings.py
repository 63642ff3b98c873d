"""What the environment says about serving, checked once: our own variables and those that AWS's containers know."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from image_classifier.contract.errors import UserError
from image_classifier.inference import engines
from image_classifier.inference.engines import Wish
from image_classifier.inference.processors import available_processors
from image_classifier.serving import codecs
from image_classifier.serving.codecs import AnswerForm
from image_classifier.serving.refusal import RefusedError

MEGABYTE = 1024 * 1024
REAL_TIME_MEGABYTES, BATCH_MEGABYTES = 25, 100
"""What InvokeEndpoint and batch transform send at most."""
RESERVE = 8
"""Threads beyond the admitted requests, so that /ping and refusals never wait."""

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to serve."""

    port: int = 8080
    host: str = "0.0.0.0"
    workers: int = 1
    """Processes, each with a copy of the model."""
    in_flight: int = 8
    """Requests a process works on at once; more are refused."""
    max_body_bytes: int = REAL_TIME_MEGABYTES * MEGABYTE
    timeout_seconds: int = 120
    """After which gunicorn takes a process that shows no sign of life for dead."""
    default_form: AnswerForm = codecs.PLAIN
    trust_model: bool = False
    engine: Wish = engines.NO_WISH
    """Which engine runs the network, and in what it computes."""
    log_level: int = logging.INFO

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
    batch = environment.get("SAGEMAKER_BATCH", "").lower() == "true"
    # 0 is batch transform's word for "chunked, of any length".
    payload = reader.number("SAGEMAKER_MAX_PAYLOAD_IN_MB", 0, 0, 1024)
    megabytes = payload or (BATCH_MEGABYTES if batch else REAL_TIME_MEGABYTES)
    settings = Settings(
        port=reader.number("SAGEMAKER_BIND_TO_PORT", Settings.port, 1, 65535),
        host=environment.get("SERVE_HOST") or Settings.host,
        workers=reader.number("SAGEMAKER_MODEL_SERVER_WORKERS", Settings.workers, 1, 256),
        in_flight=reader.number("SERVE_MAX_IN_FLIGHT", max(8, 4 * available_processors()), 1, 1000),
        max_body_bytes=reader.number("SERVE_MAX_BODY_MB", megabytes, 1, 1024) * MEGABYTE,
        timeout_seconds=max(120, reader.number("SAGEMAKER_MODEL_SERVER_TIMEOUT", 120, 0, 86400)),
        default_form=reader.value("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", codecs.PLAIN, _form),
        trust_model=reader.value("SERVE_TRUST_MODEL", False, _truth),
        engine=Wish(reader.word("SERVE_ENGINE", engines.NAMES), reader.word("SERVE_PRECISION", engines.PRECISIONS)),
        log_level=reader.value("SAGEMAKER_CONTAINER_LOG_LEVEL", logging.INFO, _log_level),
    )
    if reader.problems:
        raise UserError(" ".join(reader.problems))
    return settings


class _Reader:
    def __init__(self, environment: Mapping[str, str]):
        self.environment = environment
        self.problems: list[str] = []

    def value(self, name: str, default: _T, parse: Callable[[str], _T]) -> _T:
        text = self.environment.get(name, "").strip()
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as error:
            self.problems.append(f"The environment variable {name} is {text!r}; allowed: {error}.")
            return default

    def number(self, name: str, default: int, minimum: int, maximum: int) -> int:
        def parse(text: str) -> int:
            if not (text.isascii() and text.isdecimal() and minimum <= int(text) <= maximum):
                raise ValueError(f"a whole number from {minimum} to {maximum}")
            return int(text)

        return self.value(name, default, parse)

    def word(self, name: str, allowed: Sequence[str]) -> str:
        """Read one of the allowed words in any case; the first is the default."""

        def parse(text: str) -> str:
            if text.lower() not in allowed:
                raise ValueError(", ".join(allowed))
            return text.lower()

        return self.value(name, allowed[0], parse)


def _truth(text: str) -> bool:
    words = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in words:
        raise ValueError("true or false")
    return words[text.lower()]


def _log_level(text: str) -> int:
    levels = logging.getLevelNamesMapping()
    if text.isascii() and text.isdecimal():
        return int(text)
    if text.upper() not in levels:
        raise ValueError(f"a number, or one of {', '.join(levels)}")
    return levels[text.upper()]


def _form(text: str) -> AnswerForm:
    try:
        return codecs.negotiate(text)
    except RefusedError as refusal:
        raise ValueError(", ".join(codecs.OFFERS)) from refusal
