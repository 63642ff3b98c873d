"""The base64 texts of requests: strict first, which is the fastest, then lenient; a data: URL is explained."""

import base64

from image_classifier.contract import base64_text
from image_classifier.serving.rejection import RejectedError

_SHOWN = 60
_LONGEST_SCHEME = 12


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
        raise RejectedError(400, "invalid_base64", _invalid(compact, where, error)) from error


def _invalid(compact: str, where: str, error: ValueError) -> str:
    is_address = compact.startswith("/") or "://" in compact[:_LONGEST_SCHEME]
    reason = f"{compact[:_SHOWN]!r} is an address or a path" if is_address else str(error).rstrip(".")
    return f"{where} is not valid base64: {reason}. Send the bytes of an image file in base64."
