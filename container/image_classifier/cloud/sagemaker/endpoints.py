"""Endpoints at work: wait until one is in service, and send it images."""

import io
import json
import re
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from image_classifier.cloud import s3
from image_classifier.cloud.errors import is_of_one_request
from image_classifier.cloud.s3 import Access, Location, S3Storage
from image_classifier.cloud.sagemaker import failures, waiting
from image_classifier.cloud.sagemaker.calls import Call
from image_classifier.cloud.sagemaker.hosting import LOG_GROUP
from image_classifier.cloud.sagemaker.kinds import ENDPOINT
from image_classifier.cloud.sagemaker.session import Session
from image_classifier.contract.errors import ExplainedError, PlatformError, UserError
from image_classifier.contract.json_objects import type_of
from image_classifier.contract.payload_types import ANY_IMAGE

_ASYNCHRONOUS_PAUSE = 1.0
_ASYNCHRONOUS_PATIENCE = 900.0
"""Seconds until an asynchronous endpoint must answer: the platform's default."""
_OF_THE_SERVER = re.compile(r"server error|\(5\d\d\)|timed? ?out", re.IGNORECASE)
"""In the failure of an asynchronous invocation: not of the image."""
_LOOKS_AFTER_A_ROLLBACK = 3
"""Polls that may find an endpoint in service with another configuration: the first may precede the update."""
_WORKING = ("Creating", "Updating", "SystemUpdating", "RollingBack")


def wait(session: Session, endpoint: str, configuration: str, announce: Callable[[str], None]) -> None:
    """Wait until an endpoint is in service with a configuration.

    Raises:
        UserError: It failed for a reason that the user can change; with the last lines of its log.
        PlatformError: It failed otherwise, or an update was rolled back; with the last lines of its log.
    """
    shown, looks = "", 0

    def look() -> bool | None:
        nonlocal shown, looks
        found = session.send(ENDPOINT.call("Describe", endpoint))
        status = str(found["EndpointStatus"])
        if status == "InService":
            if str(found["EndpointConfigName"]) == configuration:
                return True
            looks += 1
        if looks == _LOOKS_AFTER_A_ROLLBACK or status not in (*_WORKING, "InService"):
            reason = str(found.get("FailureReason", status))
            if status == "InService":
                reason = f"The update was rolled back, and the earlier model answers ({reason})"
            raise failures.explain(session, f"The endpoint {endpoint}", reason, f"{LOG_GROUP}/{endpoint}", "")
        if status != shown:
            announce(f"Endpoint {endpoint}: {status}")
            shown = status
        return None

    waiting.until(look)


def exists(session: Session, endpoint: str) -> bool:
    """Return whether an endpoint exists."""
    return session.find(ENDPOINT.call("Describe", endpoint)) is not None


def described(session: Session, endpoint: str) -> dict[str, Any]:
    """Return what AWS knows of an endpoint.

    Raises:
        UserError: It does not exist.
        PlatformError: AWS cannot be reached.
    """
    found = session.find(ENDPOINT.call("Describe", endpoint))
    if found is None:
        raise UserError(
            f"The endpoint {endpoint} does not exist in the region {session.region}. scripts/launch status lists those "
            "that this program made; give one of them, or another region: --region NAME."
        )
    return found


def invoke(session: Session, endpoint: str, image: Path, accept: str, model: str = "") -> dict[str, Any]:
    """Send an image to an endpoint and return its answer; `model` names one of several models.

    Raises:
        UserError: The image cannot be read, the endpoint does not exist, or it rejects the image.
        PlatformError: The endpoint fails.
    """
    parameters: dict[str, Any] = {
        "EndpointName": endpoint,
        "Body": _read(image),
        "ContentType": ANY_IMAGE,
        "Accept": accept,
        **({"TargetModel": model} if model else {}),
    }
    answer = session.send(Call("sagemaker-runtime", "InvokeEndpoint", parameters, f"{image}: the endpoint {endpoint}"))
    return _object(answer["Body"].read(), endpoint)


def invoke_through_s3(session: Session, endpoint: str, image: Path, accept: str, folder: Location) -> dict[str, Any]:
    """Send an image to an asynchronous endpoint by way of S3, and wait for its answer.

    Raises:
        UserError: The image cannot be read, or the endpoint rejects it.
        PlatformError: The endpoint fails, or no answer came in time.
    """
    storage = S3Storage(Access(region=session.region, profile=session.profile or None))
    source = folder.below(f"{uuid.uuid4()}-{image.name}")
    storage.write_bytes(_read(image), source)
    parameters = {"EndpointName": endpoint, "InputLocation": source.uri, "ContentType": ANY_IMAGE, "Accept": accept}
    call = Call("sagemaker-runtime", "InvokeEndpointAsync", parameters, f"{image}: the endpoint {endpoint}")
    accepted = session.send(call)

    def look() -> dict[str, Any] | None:
        if (found := storage.read_bytes(s3.parse(accepted["OutputLocation"]))) is not None:
            return _object(found, endpoint)
        failure = accepted.get("FailureLocation")
        if failure and (reason := storage.read_bytes(s3.parse(failure))) is not None:
            raise _asynchronous_failure(reason.decode(errors="replace")[:500], image, endpoint)
        return None

    answer = waiting.until(look, _ASYNCHRONOUS_PATIENCE, _ASYNCHRONOUS_PAUSE)
    if answer is None:
        raise PlatformError(
            f"{image}: no answer within {_ASYNCHRONOUS_PATIENCE:.0f} s in {accepted['OutputLocation']}. The log of the "
            f"endpoint {endpoint} in CloudWatch says whether it is at work; send the image again."
        )
    return answer


def concerns_one_image(error: ExplainedError) -> bool:
    """Return whether the next image may fare better than the one for which an endpoint's invocation failed."""
    return isinstance(error.__cause__, OSError | _AsynchronousFailureError) or is_of_one_request(error)


class _AsynchronousFailureError(Exception):
    """What an asynchronous endpoint wrote in place of an answer."""


def _asynchronous_failure(reason: str, image: Path, endpoint: str) -> ExplainedError:
    if _OF_THE_SERVER.search(reason):
        error: ExplainedError = PlatformError(
            f"{image}: the endpoint {endpoint} failed: {reason} The endpoint's log in CloudWatch says why."
        )
    else:
        error = UserError(f"{image}: the endpoint {endpoint} rejected it: {reason}")
    error.__cause__ = _AsynchronousFailureError(reason)
    return error


def _read(image: Path) -> bytes:
    try:
        return image.read_bytes()
    except OSError as error:
        raise UserError(f"{image} cannot be read: {error.strerror}.") from error


def _object(body: bytes, endpoint: str) -> dict[str, Any]:
    try:
        found = json.load(io.BytesIO(body))
    except ValueError as error:
        raise PlatformError(f"The endpoint {endpoint} answered no JSON: {body[:200]!r}.") from error
    if not isinstance(found, Mapping):
        raise PlatformError(f"The endpoint {endpoint} answered {type_of(found)}, not an object.")
    return dict(found)
