"""Read a request's body: announced or chunked, never more than is allowed, whole or not at all."""

import io

from flask import request

from image_classifier.serving.refusal import RefusedError
from image_classifier.serving.settings import MEGABYTE

_BLOCK_BYTES = 65536


def read(limit: int) -> bytes:
    """Read the body of the request that is being served, with Content-Length or chunked, at most `limit` bytes.

    Raises:
        RefusedError: It is larger (413), or ends early or is badly chunked (400).
    """
    announced = request.content_length
    if announced is not None and announced > limit:
        raise _too_large(limit)
    stream, body = request.environ["wsgi.input"], io.BytesIO()
    try:
        while block := stream.read(_BLOCK_BYTES):
            if body.tell() + len(block) > limit:
                raise _too_large(limit)
            body.write(block)
    except OSError as error:  # gunicorn's word for chunks that are none and for a client that is gone
        raise _incomplete() from error
    if announced is not None and body.tell() < announced:
        raise _incomplete()
    return body.getvalue()


def _too_large(limit: int) -> RefusedError:
    message = f"The body is larger than {limit // MEGABYTE} MB, the limit of this server. Send less at once."
    return RefusedError(413, "body_too_large", message)


def _incomplete() -> RefusedError:
    return RefusedError(400, "incomplete_body", "The body ended early or is badly chunked. Send it again.")
