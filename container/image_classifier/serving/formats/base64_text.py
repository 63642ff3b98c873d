"""The base64 texts of requests: strict first, which is the fastest, then lenient; a data: URL is explained."""

import base64

from image_classifier.contract import base64_text
from image_classifier.serving.rejection import RejectedError


def decode(text: str, where: str) -> bytes:
    """Decode a base64 text.

    Raises:
        RejectedError: It is not base64, or a data: URL (400); the message starts with `where`.
    """
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return _decode_leniently(text, where)


def _decode_leniently(text: str, where: str) -> bytes:
    compact = "".join(text.split())
    if compact[:5].lower() == "data:":
        message = f"{where} begins with {compact[:30]!r}: a data: URL. Send only the text after its comma."
        raise RejectedError(400, "invalid_base64", message)
    try:
        return base64_text.decode(compact)
    except ValueError as error:
        raise RejectedError(400, "invalid_base64", f"{where} is not valid base64: {error}.") from error
