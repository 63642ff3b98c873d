"""Images in addresses and forms, for any bytes in their names."""

import base64
import binascii
import os

from image_classifier.contract.names import has_control_characters, is_utf8

_ENCODED = "~"


def to_text(image: str) -> str:
    """Return an image's identity as text that addresses and forms carry unchanged; `of_text` is the inverse.

    Names that are not UTF-8, or hold line feeds, which forms change, are encoded in base 64.
    """
    if is_utf8(image) and not has_control_characters(image) and not image.startswith(_ENCODED):
        return image
    return _ENCODED + base64.urlsafe_b64encode(os.fsencode(image)).decode()


def of_text(text: str) -> str:
    """Return the image that a text stands for; a text that stands for none is returned unchanged."""
    if not text.startswith(_ENCODED):
        return text
    try:
        return os.fsdecode(base64.b64decode(text[1:], altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        return text
