"""Base64 as clients write it, and TensorFlow Serving reads it: with line breaks, without padding, URL-safe."""

import base64
import binascii

from image_classifier.serving.rejection import RejectedError

_URL_SAFE = str.maketrans("-_", "+/")


def decode(text: str, where: str) -> bytes:
    """Return the bytes of a base64 text.

    Raises:
        RejectedError: It is not base64, or a data: URL (400); `where` begins the message.
    """
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return _tolerantly(text, where)


def _tolerantly(text: str, where: str) -> bytes:
    compact = "".join(text.split())
    if compact[:5].lower() == "data:":
        message = f"{where} begins with {compact[:30]!r}: a data: URL. Send the text behind its comma alone."
        raise RejectedError(400, "invalid_base64", message)
    compact = compact.translate(_URL_SAFE).rstrip("=")
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RejectedError(400, "invalid_base64", f"{where} is not valid base64: {error}.") from error
