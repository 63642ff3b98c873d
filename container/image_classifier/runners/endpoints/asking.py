"""Requests to a server on this machine: whether it is ready, and how many requests it has answered."""

import http.client
import re

_SECONDS = 2.0
_MOST_BYTES = 1 << 20
_ANSWERED = re.compile(
    r'^image_classifier_requests_total\{route="/invocations",status="\d+"\} (\d+(?:\.\d+)?(?:e\+?\d+)?)$', re.M
)


def is_ready(port: int) -> bool:
    """Return whether the server's model is loaded: `GET /ping` is 200."""
    return _get(port, "/ping") is not None


def answered_requests(port: int) -> int | None:
    """Return how many `POST /invocations` the server has answered, with any status; None if it does not answer."""
    text = _get(port, "/metrics")
    return None if text is None else round(sum(float(count) for count in _ANSWERED.findall(text)))


def _get(port: int, path: str) -> str | None:
    """Return the body of a response with status 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read(_MOST_BYTES)
        return body.decode(errors="replace") if response.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
