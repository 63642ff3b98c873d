"""Requests of the Try screen, passed on to a server on this machine: so the browser talks to the console alone."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from image_classifier.contract.errors import PlatformError, UserError
from image_classifier.contract.payload_types import ANY_IMAGE
from image_classifier.contract.serving_variables import MAX_BODY

MOST_BODY = MAX_BODY.default * 1024 * 1024
"""Bytes of a request, as many as the server takes."""
_MOST_ANSWER = 16 * 1024 * 1024
_SECONDS = 75.0
"""Longer than the server gives a request."""
_PASSED_ON = ("Content-Type", "Server-Timing", "Retry-After")


@dataclass(frozen=True)
class Answer:
    """The response of a server."""

    status: int
    headers: Mapping[str, str]
    """Those that concern the browser."""
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON.

        Raises:
            PlatformError: It is something else.
        """
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise PlatformError(f"The server answered {self.status} without valid JSON.") from error


def get(port: int, path: str) -> Answer:
    """Return the response to a GET; raises as `ask`."""
    return _ask(port, "GET", path, None, {})


def classify(port: int, image: bytes, accept: str) -> Answer:
    """Return the response to `POST /invocations` with an image.

    Raises:
        UserError: The image is larger than `MOST_BODY`.
        PlatformError: The server does not answer.
    """
    if len(image) > MOST_BODY:
        raise UserError(
            f"The file has {len(image):,} bytes; at most {MOST_BODY:,} are classified. Choose a smaller one."
        )
    return _ask(port, "POST", "/invocations", image, {"Content-Type": ANY_IMAGE, "Accept": accept})


def _ask(port: int, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    try:
        connection.request(method, path, body, dict(headers))
        response = connection.getresponse()
        content = response.read(_MOST_ANSWER)
        passed_on = {name: value for name in _PASSED_ON if (value := response.headers.get(name))}
        return Answer(response.status, passed_on, content)
    except (OSError, http.client.HTTPException) as error:
        raise PlatformError("The model's server does not answer. Reload the page to start it again.") from error
    finally:
        connection.close()
