"""Read a request's body: announced or chunked, never more than is allowed, whole or not at all."""

from flask import request

from image_classifier.serving import rejection


def read(limit: int) -> bytes:
    """Read the body of the request that is being served, with Content-Length or chunked, at most `limit` bytes.

    Raises:
        RejectedError: It is larger (413), or ends early (400).
    """
    announced = request.content_length
    if announced is not None and announced > limit:
        raise rejection.body_too_large(limit)
    content: bytes = request.environ["wsgi.input"].read(limit + 1)
    if len(content) > limit:
        raise rejection.body_too_large(limit)
    if announced is not None and len(content) < announced:
        raise rejection.body_incomplete()
    return content
