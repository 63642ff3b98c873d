"""Translate the errors of AWS and of its library into sentences with an owner and a remedy."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from image_classifier.cloud import remedies
from image_classifier.cloud.remedies import Rejection
from image_classifier.contract.errors import ExplainedError, PlatformError, UserError, first_line

ABSENT = frozenset({"404", "NoSuchKey", "NoSuchBucket", "NotFound"})
"""Error codes for an object or a bucket that does not exist."""


_NOT_FOUND = ("ResourceNotFound", "ResourceNotFoundException", "ObjectNotFoundException")
_OF_ITS_CONTENT = ("ModelError", "ValidationError", "ValidationException", "RequestEntityTooLarge")
"""Codes of rejections of what a request carries."""
_COULD_NOT_FIND = ("could not find", "requested resource not found", "does not exist", "no scalable target found")
"""Words of a ValidationException when the target does not exist."""


@dataclass(frozen=True)
class Request:
    """What is asked of AWS, as its error messages name it."""

    target: str
    """The object, folder or registry, without secrets."""
    permissions: str
    """The permissions or the policy that it requires."""
    location: str = "the region"
    """What to check when the target does not exist."""
    region: str = ""
    """Of the request, where messages link to the console."""


@contextmanager
def explained(request: Request) -> Iterator[None]:
    """Translate what boto3 raises inside the block.

    Raises:
        UserError: There are no credentials, AWS rejects the request, or the target does not exist.
        PlatformError: AWS cannot be reached, is overloaded or fails.
    """
    from boto3.exceptions import Boto3Error, RetriesExceededError
    from botocore import exceptions  # type: ignore[import-untyped]
    from s3transfer.exceptions import S3DownloadFailedError, S3ValidationError  # type: ignore[import-untyped]

    without = (exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.CredentialRetrievalError)
    offline = (exceptions.ConnectionError, exceptions.HTTPClientError, RetriesExceededError)
    try:
        yield
    except without as error:
        raise UserError(
            f"No AWS credentials for {_inside(request.target)} ({first_line(error)}). A job uses its execution role. "
            "Elsewhere run `aws configure` or `aws sso login`, or set AWS_PROFILE."
        ) from error
    except exceptions.ClientError as error:
        raise _rejection(request, error) from error
    except exceptions.ProfileNotFound as error:
        raise UserError(
            f"{first_line(error)}. `aws configure list-profiles` lists those of the AWS configuration; give one of "
            "them with --profile, or leave it out."
        ) from error
    except offline as error:
        raise PlatformError(
            f"{request.target} cannot be reached: {first_line(error)}. Check the network and {request.location}."
        ) from error
    except (S3DownloadFailedError, S3ValidationError) as error:
        # The transfer manager's requests are conditional on the ETag with which the download began.
        raise PlatformError(f"{request.target} changed while it was downloaded. Try again.") from error
    except (exceptions.BotoCoreError, Boto3Error) as error:
        if isinstance(error.__context__, exceptions.ClientError):  # an upload, whose error only quotes the cause
            raise _rejection(request, error.__context__) from error
        raise UserError(f"{request.target}: {first_line(error)}. Check the AWS configuration.") from error
    except ValueError as error:
        # boto3 reads the address when it makes a client.
        if "endpoint" not in str(error).lower():
            raise
        raise UserError(
            f"{first_line(error)}. Correct AWS_ENDPOINT_URL, or endpoint_url in the AWS configuration: expected an "
            "address such as https://sagemaker.eu-west-1.amazonaws.com."
        ) from error


def is_absent(error: Any) -> bool:
    """Return whether a ClientError says that the target does not exist."""
    code, message = str(error.response["Error"]["Code"]), str(error.response["Error"].get("Message", "")).lower()
    if code in ABSENT or code in _NOT_FOUND:
        return True
    return code in ("ValidationException", "ValidationError") and any(words in message for words in _COULD_NOT_FIND)


def is_shortage(error: ExplainedError) -> bool:
    """Return whether an explained error stands for a rejection for lack of capacity or of quota."""
    answer = getattr(error.__cause__, "response", None)
    if not isinstance(answer, dict):
        return False
    return remedies.is_shortage(str(answer["Error"]["Code"]), str(answer["Error"].get("Message", "")))


def is_of_one_request(error: ExplainedError) -> bool:
    """Return whether the next request to the same target may succeed: not without credentials, target or network."""
    cause = error.__cause__
    answer = getattr(cause, "response", None)
    if not isinstance(answer, dict):
        return False
    if isinstance(error, PlatformError):
        return True
    return str(answer["Error"]["Code"]) in _OF_ITS_CONTENT and not is_absent(cause)


def _inside(target: str) -> str:
    """Return a target as it is written inside a sentence."""
    return f"the {target.removeprefix('The ')}" if target.startswith("The ") else target


def _plain_text(message: str) -> str:
    """Return a message; of an HTML page, as proxies and load balancers answer, its title."""
    if message.lstrip()[:1] != "<":
        return message
    title = re.search(r"<title>(.*?)</title>", message, re.IGNORECASE | re.DOTALL)
    return f"an HTML page with the title {' '.join(title[1].split())!r}" if title else "an HTML page"


def _rejection(request: Request, error: Any) -> ExplainedError:
    answer = error.response
    code, message = str(answer["Error"]["Code"]), _plain_text(str(answer["Error"].get("Message", ""))).rstrip(".")
    status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 400))
    known = remedies.explain(Rejection(code, message, request.target, request.region))
    if known:
        return known
    message = " ".join(message.split())
    if status >= 500 or status == 429:
        return PlatformError(f"{request.target}: AWS answered {code}: {message}. Try again later.")
    if is_absent(error):
        return UserError(f"{request.target} does not exist ({code}: {message}). Check {request.location}.")
    return UserError(
        f"AWS rejected {error.operation_name} for {_inside(request.target)} ({code}: {message}). It requires "
        f"{request.permissions}."
    )
