"""The images of a captured request, in any form that the server accepts."""

from typing import Any

from image_classifier import imaging
from image_classifier.contract import base64_text
from image_classifier.monitoring import captured_json


def images(body: bytes) -> list[bytes]:
    """Return the files in a body: one image, `instances` or `inputs` of TensorFlow Serving's API, or lines of base64.

    Raises:
        ValueError: It is not such a body.
    """
    if imaging.sniff(body):
        return [body]
    try:
        found = captured_json.parse(body)
        entries = _entries(found) if isinstance(found, dict) else None
    except ValueError:
        entries = None
    if entries is None:
        entries = [captured_json.parse(line) for line in body.splitlines() if line.strip()]
    return [_image(entry) for entry in entries]


def _entries(found: dict[str, Any]) -> list[Any] | None:
    entries = found.get("instances", found.get("inputs"))
    if entries is None:
        return None
    if isinstance(entries, dict) and "b64" not in entries and len(entries) == 1:
        entries = next(iter(entries.values()))
    return entries if isinstance(entries, list) else [entries]


def _image(entry: Any) -> bytes:
    if isinstance(entry, dict) and "b64" not in entry:
        entry = next((value for value in entry.values() if isinstance(value, dict) and "b64" in value), entry)
    text = entry.get("b64") if isinstance(entry, dict) else entry
    if not isinstance(text, str):
        raise ValueError("an entry is not base64 text")
    try:
        return base64_text.decode(text)
    except ValueError as error:
        raise ValueError(f"an entry is not base64 text: {error}") from error
