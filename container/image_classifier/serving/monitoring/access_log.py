"""One line of JSON per request, which CloudWatch Logs Insights parses automatically. Cost: decision 18."""

import json
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from werkzeug.datastructures import Headers

from image_classifier.serving.monitoring.measurement import DECODE, ENGINE, QUEUE, RequestMeasurement

log = logging.getLogger("image_classifier.serving.access")
REQUEST_ID = "X-Request-Id"
_ID_HEADERS = ("X-Amzn-SageMaker-Inference-Id", "X-Amzn-RequestId", REQUEST_ID)
_LONGEST_ID, _LONGEST_PATH = 128, 200
_PRINTABLE = re.compile(r"[ -~]+")
_QUIET_PATHS = ("/ping", "/metrics")
"""Polled by machines every few seconds."""


@dataclass(frozen=True)
class AccessRecord:
    """The loggable parts of a request and its response."""

    method: str
    path: str
    status: int
    request_id: str
    bytes_out: int | None = None
    requests: int = 1
    """Number of requests that the line represents."""


def is_printable(text: str, longest: int) -> bool:
    """Return whether a header's value is printable ASCII of 1 to `longest` characters."""
    return len(text) <= longest and _PRINTABLE.fullmatch(text) is not None


def new_id() -> str:
    """Return a random id of 16 hexadecimal digits, for a request without one."""
    return os.urandom(8).hex()


def request_id(headers: Mapping[str, str] | Headers) -> str:
    """Return the id in a request's headers, the platform's first, or a new one if none is usable."""
    for name in _ID_HEADERS:
        value = headers.get(name, "").strip()
        if is_printable(value, _LONGEST_ID):
            return value
    return new_id()


def write(record: AccessRecord, measured: RequestMeasurement, which: str) -> None:
    """Log a request; `which` selects "all", "errors" (any status other than 2xx) or "off"."""
    level = logging.DEBUG if record.path in _QUIET_PATHS else logging.INFO
    if which == "off" or not log.isEnabledFor(level) or (which == "errors" and 200 <= record.status < 300):
        return
    log.log(level, "%s", line(record, measured))


def line(record: AccessRecord, measured: RequestMeasurement) -> str:
    """Return the line: sizes in bytes, times in milliseconds; fields without a value are omitted."""
    stages = ((stage, measured.seconds.get(stage)) for stage in (QUEUE, DECODE, ENGINE))
    fields = {
        "request_id": record.request_id,
        "method": record.method,
        "path": record.path[:_LONGEST_PATH],
        "model": measured.model,
        "status": record.status,
        "error": measured.error,
        "requests": record.requests if record.requests > 1 else None,
        "bytes_in": measured.bytes_in,
        "bytes_out": record.bytes_out,
        "images": measured.images or None,
        **{f"{stage}_ms": _milliseconds(seconds) for stage, seconds in stages if seconds is not None},
        "total_ms": _milliseconds(measured.total_seconds),
    }
    return json.dumps({name: value for name, value in fields.items() if value is not None}, separators=(",", ":"))


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)
