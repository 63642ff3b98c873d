"""One line of JSON a request, which CloudWatch Logs Insights takes apart by itself. What it costs: decision 18."""

import json
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from werkzeug.datastructures import Headers

from image_classifier.serving.monitoring.measurement import DECODE, ENGINE, QUEUE, Measurement

log = logging.getLogger("image_classifier.serving.access")
REQUEST_ID = "X-Request-Id"
_ID_HEADERS = ("X-Amzn-SageMaker-Inference-Id", "X-Amzn-RequestId", REQUEST_ID)
_LONGEST_ID, _LONGEST_PATH = 128, 200
_PRINTABLE = re.compile(r"[ -~]+")
_QUIET_PATHS = ("/ping", "/metrics")
"""Asked for by machines every few seconds."""


@dataclass(frozen=True)
class AccessRecord:
    """A request and its answer, as much of them as may be written down."""

    method: str
    path: str
    status: int
    request_id: str
    bytes_out: int | None = None
    requests: int = 1
    """How many of them the line stands for."""


def is_printable(text: str, longest: int) -> bool:
    """Say whether a header's value is printable ASCII of 1 to `longest` characters."""
    return len(text) <= longest and _PRINTABLE.fullmatch(text) is not None


def new_id() -> str:
    """Make an id for a request that brings none: 16 hexadecimal digits, drawn at random."""
    return os.urandom(8).hex()


def request_id(headers: Mapping[str, str] | Headers) -> str:
    """Return the id that a request brings, the platform's first, or a new one when it brings none that is usable."""
    for name in _ID_HEADERS:
        given = headers.get(name, "").strip()
        if is_printable(given, _LONGEST_ID):
            return given
    return new_id()


def write(exchange: AccessRecord, measured: Measurement, which: str) -> None:
    """Write the line of a request; `which` are written: "all", "errors" (those not answered with 2xx) or "off"."""
    level = logging.DEBUG if exchange.path in _QUIET_PATHS else logging.INFO
    if which == "off" or not log.isEnabledFor(level) or (which == "errors" and 200 <= exchange.status < 300):
        return
    log.log(level, "%s", line(exchange, measured))


def line(exchange: AccessRecord, measured: Measurement) -> str:
    """Return the line: sizes in bytes, times in milliseconds; what a request has nothing of is left out."""
    stages = ((stage, measured.seconds.get(stage)) for stage in (QUEUE, DECODE, ENGINE))
    found = {
        "request_id": exchange.request_id,
        "method": exchange.method,
        "path": exchange.path[:_LONGEST_PATH],
        "model": measured.model,
        "status": exchange.status,
        "error": measured.error,
        "requests": exchange.requests if exchange.requests > 1 else None,
        "bytes_in": measured.bytes_in,
        "bytes_out": exchange.bytes_out,
        "images": measured.images or None,
        **{f"{stage}_ms": _milliseconds(seconds) for stage, seconds in stages if seconds is not None},
        "total_ms": _milliseconds(measured.total_seconds),
    }
    return json.dumps({name: value for name, value in found.items() if value is not None}, separators=(",", ":"))


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)
