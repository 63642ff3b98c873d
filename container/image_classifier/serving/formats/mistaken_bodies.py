"""Detect bodies that are not an image: text encodings of one, other documents, images changed by a text conversion."""

import base64
import binascii
import codecs
import re

from image_classifier import imaging
from image_classifier.serving.rejection import RejectedError

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
_SEND = "Send the file's bytes unchanged, as in curl --data-binary @photo.jpg -H 'Content-Type: application/x-image'"
_BASE64 = re.compile(rb"[A-Za-z0-9+/_=\s-]+")
_MARKUP = ((b"<!doctype html", "HTML"), (b"<html", "HTML"), (b"<svg", "SVG"), (b"<?xml", "XML"), (b"<", "markup"))
_STRIPPED_BYTES = 8192
"""In this many bytes of compressed data every value occurs: a given one is missing by chance in 1 of 10^14 files."""
_DISTINCT = 250
_TEXT_BYTES, _SHOWN = 1024, 60
"""The first bytes by which a text is recognised, such as the name of a file, and characters that a message repeats."""
_PAIRS = 8
"""This many line feeds, each after a carriage return: by chance in 1 of 2^64 files."""


def reject_form(media_type: str, body: bytes) -> None:
    """Reject bodies with the media type of an HTML form.

    Raises:
        RejectedError: It is a multipart form, or `curl -d` has removed the line ends from the body (415).
    """
    if media_type == MULTIPART and imaging.sniff(body) is None:
        message = f"Content-Type {MULTIPART} wraps the image in a form, as curl -F does. {_SEND}."
    elif media_type == FORM and (imaging.sniff(body) is None or not (b"\n" in body or b"\r" in body)):
        message = f"Content-Type {FORM} is sent by curl -d, which removes line ends from binary data. {_SEND}."
    else:
        return
    raise RejectedError(415, "unsupported_media_type", message)


def reject_unless_image(body: bytes) -> None:
    """Reject a body that does not start like an image, if it is recognisably something else.

    Raises:
        RejectedError: It is base64 or another short text, a data: URL, a form, JSON, markup, gzip, or an image
            after a text conversion (400).
    """
    if imaging.sniff(body) is None and (found := _instead(body)):
        allowed = f"allowed: {', '.join(imaging.FORMATS)}"
        message = f"The body is not an image of a known format but {found}; {allowed}. {_SEND}."
        raise RejectedError(400, "unsupported_format", message)


def reject_mangled(image: bytes, where: str = "The image") -> None:
    """Reject an image whose start is intact, but whose bytes show a text conversion.

    Raises:
        RejectedError: Its bytes are text in UTF-8, or line ends were removed or translated (400).
    """
    if imaging.sniff(image) is None or not (found := _conversion(image)):
        return
    message = (
        f"{where} is corrupt: {found}, which indicates a text conversion. Send the bytes unchanged, in binary mode."
    )
    raise RejectedError(400, "corrupt", message)


def image_in(text: bytes) -> str | None:
    """Return the format of the image at the start of a base64 text; None for other content."""
    start = b"".join(text[:200].translate(bytes.maketrans(b"-_", b"+/")).split())[:64]
    try:
        return imaging.sniff(base64.b64decode(start[: len(start) // 4 * 4]))
    except binascii.Error:
        return None


def _instead(body: bytes) -> str | None:
    start = body[:400].removeprefix(b"\xef\xbb\xbf").lstrip()
    lowered = start.lower()
    if lowered.startswith(b"data:"):
        return "a data: URL; send its base64 text in JSON"
    if start.startswith(b"--") and b"content-disposition" in lowered:
        return "a multipart form, as curl -F sends it"
    if _BASE64.fullmatch(start.strip(b"\"'")) and (found := image_in(start.strip(b"\"'"))):
        return f"the base64 text of a {found}, which must be sent in JSON"
    if start[:1] in (b"{", b"["):
        return "JSON, whose Content-Type is application/json"
    if kind := next((name for mark, name in _MARKUP if lowered.startswith(mark)), None):
        return f"{kind} text"
    if body.startswith(b"\x1f\x8b"):
        return "gzip data, whose Content-Encoding is gzip"
    if text := _as_text(body):
        return f"the text {text!r}"
    return _changed_signature(body)


def _as_text(body: bytes) -> str | None:
    """Return the beginning of a text in UTF-8; None for other content."""
    words = (_beginning(body) or "").split()
    return " ".join(words)[:_SHOWN] if words and "".join(words).isprintable() else None


def _beginning(data: bytes) -> str | None:
    """Return the first bytes as text; None if they are not UTF-8, but for a last character that is cut."""
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(data[:_TEXT_BYTES])
    except UnicodeDecodeError:
        return None


def _changed_signature(body: bytes) -> str | None:
    """Describe the traces of a text conversion in the first bytes of an image."""
    if b"\0" in body and not body.isascii() and _is_utf_8(body):
        return "binary data that was converted to text in UTF-8"
    if body.startswith((b"\x89PNG", b"\tPNG")):
        return "a PNG whose line ends a text conversion changed"
    return None


def _conversion(image: bytes) -> str | None:
    if not image.isascii() and _is_utf_8(image):
        return "all of its bytes are UTF-8 text"
    absent = [name for name, value in (("line feed", b"\n"), ("carriage return", b"\r")) if value not in image]
    if absent and len(image) >= _STRIPPED_BYTES and len(set(image[-_STRIPPED_BYTES:])) >= _DISTINCT:
        return f"it contains no {absent[0]}"
    if _has_only_pairs(image):
        return "every line feed in it follows a carriage return"
    return None


def _is_utf_8(data: bytes) -> bool:
    # Nearly every image ends here; decoding it whole would first allocate memory for all of it.
    if _beginning(data) is None:
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _has_only_pairs(data: bytes) -> bool:
    pairs, position = 0, data.find(b"\n")
    while position >= 0:
        if data[position - 1] != 0x0D:
            return False
        pairs += 1
        position = data.find(b"\n", position + 1)
    return pairs >= _PAIRS
