"""Lenient Base64, as in TensorFlow Serving: with line breaks, without padding, URL-safe alphabet."""

import base64
import binascii

from image_classifier.serving.rejection import RejectedError

_URL_SAFE = str.maketrans("-_", "+/")


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
    compact = compact.translate(_URL_SAFE).rstrip("=")
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RejectedError(400, "invalid_base64", f"{where} is not valid base64: {error}.") from error
