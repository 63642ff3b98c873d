"""Read a request's body: with Content-Length or chunked, up to the limit, completely or not at all."""

from flask import request

from image_classifier.serving import rejection


def read(limit: int) -> bytes:
    """Read the body of Flask's current request, at most `limit` bytes.

    Raises:
        RejectedError: It is larger (413) or incomplete (400).
    """
    content_length = request.content_length
    if content_length is not None and content_length > limit:
        raise rejection.body_too_large(limit)
    content: bytes = request.environ["wsgi.input"].read(limit + 1)
    if len(content) > limit:
        raise rejection.body_too_large(limit)
    if content_length is not None and len(content) < content_length:
        raise rejection.body_incomplete()
    return content
