"""The requests by which a walk changes something on AWS, without what differs from run to run."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

_READING = ("Describe", "List", "Get", "Head", "Search", "Filter")
_LEFT_OUT = ("s3", "sagemaker-runtime", "logs", "sts")
"""Services whose requests carry files or log lines, or change nothing."""
_VARYING = {
    r"\d{8}-\d{6}": "TIME",
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)?": "TIME",
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}": "UUID",
    r"[0-9a-f]{64}|[0-9a-f]{24}": "HASH",
}
"""Of names, uploads and tokens; floating-point numbers of a model's files are rounded otherwise elsewhere."""


def changing(requests: Sequence[tuple[str, str, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return service, operation and parameters of the requests that change something, in order, as JSON."""
    found = [
        {"service": service, "operation": operation, "parameters": dict(parameters)}
        for service, operation, parameters in requests
        if service not in _LEFT_OUT and not operation.startswith(_READING)
    ]
    text = json.dumps(found)
    for pattern, word in _VARYING.items():
        text = re.sub(pattern, word, text)
    made: list[dict[str, Any]] = json.loads(text)
    return made
