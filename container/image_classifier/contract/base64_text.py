"""Lenient Base64, as in TensorFlow Serving: with line breaks, without padding, URL-safe alphabet."""

import base64

_URL_SAFE = str.maketrans("-_", "+/")


def decode(text: str) -> bytes:
    """Decode a base64 text.

    Raises:
        ValueError: It is not base64.
    """
    compact = "".join(text.split()).translate(_URL_SAFE).rstrip("=")
    return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
