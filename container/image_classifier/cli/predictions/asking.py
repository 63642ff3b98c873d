"""A running server asked over HTTP about the images that a user names, again while it is loading or busy."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

from image_classifier.cli.predictions.answers import Answer
from image_classifier.cli.predictions.image_files import ImageFile
from image_classifier.contract import payload_types
from image_classifier.contract.errors import PlatformError, UserError
from image_classifier.contract.json_objects import type_of

TIMEOUT, EXPLANATION_TIMEOUT = 60.0, 300.0
"""Seconds until the server must answer."""
PATIENCE = 60.0
"""Seconds for which a server that is loading or busy is asked again."""


def ask(image: Path, url: str, accept: str, timeout: float = TIMEOUT) -> dict[str, Any]:
    """Send an image and return the answer; a server that is loading or busy is asked again when it says so.

    Raises:
        UserError: The image cannot be read, or the server rejects it.
        PlatformError: No server answers there, it stays busy, or its answer is not JSON.
    """
    try:
        data = image.read_bytes()
    except OSError as error:
        raise UserError(f"{image} cannot be read: {error.strerror}. Give image files, or folders of them.") from error
    headers = {"Content-Type": payload_types.ANY_IMAGE, "Accept": accept}
    deadline = time.monotonic() + PATIENCE
    try:
        while (found := _answered(urllib.request.Request(url, data, headers), deadline, timeout)) is None:
            pass
    except urllib.error.HTTPError as error:
        owner = PlatformError if error.code == HTTPStatus.SERVICE_UNAVAILABLE else UserError
        raise owner(f"{image}: {_reason(error)}") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise PlatformError(
            f"No server answers as expected at {url}: {reason}. scripts/serve-locally starts one; --url names another."
        ) from error
    if not isinstance(found, dict):
        raise PlatformError(
            f"The server at {url} answers {type_of(found)}, not an object. Give the address of /invocations."
        )
    return found


def predict(images: Sequence[ImageFile], url: str, accept: str) -> Iterator[Answer | UserError]:
    """Classify the images in turn; an image that cannot be read or is rejected yields its error.

    Raises:
        PlatformError: No server answers.
    """
    for image in images:
        try:
            yield Answer.of(image, ask(image.path, url, accept))
        except UserError as error:
            yield error


def _answered(request: urllib.request.Request, deadline: float, timeout: float) -> Any:
    """Return the decoded answer; None after the pause that a server asks for that is loading or busy."""
    try:
        with _opener(request.full_url).open(request, timeout=timeout) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        pause = error.headers.get("Retry-After", "")
        wanted = error.code == HTTPStatus.SERVICE_UNAVAILABLE and pause.isdecimal()
        if not wanted or time.monotonic() + int(pause) > deadline:
            raise
        error.close()
        time.sleep(int(pause))
        return None


def _opener(url: str) -> urllib.request.OpenerDirector:
    # Proxies from the environment are for remote servers.
    local = urllib.parse.urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")
    return urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if local else []))


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        return f"rejected with {error.code}: {json.load(error)['message']}"
    except (ValueError, KeyError, TypeError):
        return f"rejected with {error.code} {error.reason}"
