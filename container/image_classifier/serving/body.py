"""Read a request's body: announced or chunked, never more than is allowed, whole or not at all."""

from flask import request

from image_classifier.serving.refusal import RefusedError

_MEGABYTE = 1024 * 1024


def read(limit: int) -> bytes:
    """Read the body of the request that is being served, with Content-Length or chunked, at most `limit` bytes.

    Raises:
        RefusedError: It is larger (413), or ends early (400).
    """
    announced = request.content_length
    if announced is not None and announced > limit:
        raise too_large(limit)
    content: bytes = request.environ["wsgi.input"].read(limit + 1)
    if len(content) > limit:
        raise too_large(limit)
    if announced is not None and len(content) < announced:
        raise incomplete()
    return content


def too_large(limit: int) -> RefusedError:
    """Return the refusal of a body of more than `limit` bytes."""
    size = f"{limit // _MEGABYTE} MB" if limit >= _MEGABYTE else f"{limit} bytes"
    return RefusedError(413, "body_too_large", f"The body is larger than {size}, the limit here. Send less at once.")


def incomplete() -> RefusedError:
    """Return the refusal of a body that ended early or is badly chunked."""
    return RefusedError(400, "incomplete_body", "The body ended early or is badly chunked. Send it again.")
