"""A running server asked over HTTP about the images that a user names, again while it is loading or busy."""

import contextlib
import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

from image_classifier.cli.predictions import outcomes
from image_classifier.cli.predictions.answers import Answer
from image_classifier.cli.predictions.image_files import ImageFile
from image_classifier.contract import payload_types
from image_classifier.contract.errors import AlgorithmError, ExplainedError, PlatformError, UserError, first_line
from image_classifier.contract.json_objects import type_of

TIMEOUT, EXPLANATION_TIMEOUT = 60.0, 300.0
"""Seconds until the server must answer."""
PATIENCE = 60.0
"""Seconds for which a server that is loading or busy is asked again."""
_SHOWN = 500
"""Characters of a server's message."""
_BUSY = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS)
_LOST = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError, http.client.IncompleteRead)
"""What a connection that ended before the answer raises."""


def ask(image: Path, url: str, accept: str, timeout: float = TIMEOUT) -> dict[str, Any]:
    """Send an image and return the answer; a server that is loading or busy is asked again when it says so.

    Raises:
        UserError: The image cannot be read, or the server rejects it.
        AlgorithmError: The request failed inside the server.
        PlatformError: No server answers there, it stays busy, the connection is lost, or the answer is not JSON.
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
        raise _rejection(image, url, error) from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = first_line(_reason(error))
        if _is_lost(error):
            raise PlatformError(
                f"{image}: the server at {url} ended the connection before its answer was complete ({reason}). Its log "
                "says why; send the image again."
            ) from error
        raise PlatformError(
            f"No server answers as expected at {url}: {reason}. scripts/serve-locally starts one; --url names another."
        ) from error
    if not isinstance(found, dict):
        raise PlatformError(
            f"The server at {url} answers {type_of(found)}, not an object. Give the address of /invocations."
        )
    return found


def predict(images: Sequence[ImageFile], url: str, accept: str) -> Iterator[Answer | ExplainedError]:
    """Classify the images in turn; yield the error of an image that cannot be read, is rejected or makes it fail.

    Raises:
        PlatformError: No server answers, or one of another program.
        ExplainedError: The server fails for several images in a row.
    """
    return outcomes.of_images(images, lambda image: ask(image, url, accept), concerns_one_image)


def concerns_one_image(error: ExplainedError) -> bool:
    """Return whether the next image may fare better than the one for which `ask` raised an error."""
    cause = error.__cause__
    if isinstance(cause, urllib.error.HTTPError):
        return not _is_busy(cause)
    return isinstance(error, UserError) or (cause is not None and _is_lost(cause))


def _answered(request: urllib.request.Request, deadline: float, timeout: float) -> Any:
    """Return the decoded answer; None after the pause that a server asks for that is loading or busy."""
    try:
        with _opener(request.full_url).open(request, timeout=timeout) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if not _is_busy(error) or time.monotonic() + _pause(error) > deadline:
            raise
        error.close()
        time.sleep(_pause(error))
        return None


def _is_busy(error: urllib.error.HTTPError) -> bool:
    """Return whether the server asks to try again later; without a time it is for this image that it has too little."""
    return error.code in _BUSY and error.headers.get("Retry-After", "").isdecimal()


def _pause(error: urllib.error.HTTPError) -> int:
    return int(error.headers["Retry-After"])


def _opener(url: str) -> urllib.request.OpenerDirector:
    # Proxies from the environment are for remote servers.
    local = urllib.parse.urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")
    return urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if local else []))


def _is_lost(error: BaseException) -> bool:
    return isinstance(_reason(error), _LOST)


def _reason(error: BaseException) -> BaseException:
    """Return what urllib has wrapped."""
    reason = getattr(error, "reason", error)
    return reason if isinstance(reason, BaseException) else error


def _rejection(image: Path, url: str, error: urllib.error.HTTPError) -> ExplainedError:
    """Return the error of an answer that is not 200: of the user up to 499, else of the server or its platform."""
    said = f"{error.code} {error.reason}"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, http.client.HTTPException):
        said = f"{error.code}: {str(json.load(error)['message'])[:_SHOWN]}"
    if _is_busy(error):
        return PlatformError(f"{image}: rejected with {_sentence(said)} The server at {url} is busy: try again later.")
    if error.code in _BUSY:
        return PlatformError(f"{image}: rejected with {_sentence(said)} The log of the server at {url} says why.")
    if error.code < HTTPStatus.INTERNAL_SERVER_ERROR:
        return UserError(f"{image}: rejected with {said}")
    owner = AlgorithmError if error.code == HTTPStatus.INTERNAL_SERVER_ERROR else PlatformError
    return owner(
        f"{image}: the server failed with {_sentence(said)} The request is not at fault: the log of the server at "
        f"{url} says why."
    )


def _sentence(text: str) -> str:
    return f"{text.rstrip('.')}."
