"""Images as base64 in JSON: a list of `instances`, or one image per line."""

import itertools
import json
import re
from dataclasses import dataclass, field
from typing import Any

from image_classifier import imaging
from image_classifier.serving.formats import base64_text, mistaken_bodies
from image_classifier.serving.rejection import RejectedError

MAX_INSTANCES = 512
"""Images per list; at 100 ms each they just fit into the platform's 60 s."""
MAX_LINES = 10_000
"""Images per body of lines; at 60 ms each they fit into the 600 s of batch transform's default timeout."""
_LINE = re.compile(rb"\S[^\n]*")


@dataclass(frozen=True)
class _Schema:
    code: str
    """Error code of JSON that does not match."""
    expected: str


_LIST_SCHEMA = _Schema("invalid_instances", 'Expected {"instances": [{"b64": "<base64 of an image>"}, ...]}.')
_LINE_SCHEMA = _Schema("invalid_line", 'Expected {"b64": "<base64 of an image>"} in each line.')


@dataclass(frozen=True)
class Instances:
    """The images of a JSON body."""

    images: tuple[bytes, ...]
    key: str
    """Key of the response: predictions for instances, outputs for inputs, as in TensorFlow Serving."""


def instances(body: bytes) -> Instances:
    """Return the images of `{"instances": [{"b64": "..."}, ...]}`, the row format of TensorFlow Serving's REST API.

    Also accepted: its column format, `{"inputs": {"b64": "..."}}`, `{"inputs": [...]}` or `{"inputs": {"name": ...}}`,
    an entry whose only object with "b64" has a name, and the base64 text alone as an entry.

    Raises:
        RejectedError: The JSON is invalid, or has more than `MAX_INSTANCES` entries.
    """
    if _size(body) > 4 * MAX_INSTANCES + 100:
        # Each object is an image; anything else in such numbers is pixels.
        if body.count(b"{") > MAX_INSTANCES:
            message = f"The body holds more than {MAX_INSTANCES} instances. Send fewer."
            raise RejectedError(413, "too_many_instances", message)
        raise _pixels("The body", _LIST_SCHEMA)
    key, entries = _entries(_json(body, "The body", _LIST_SCHEMA))
    if len(entries) > MAX_INSTANCES:
        message = f"The body holds {len(entries)} instances; at most {MAX_INSTANCES} are allowed. Send fewer."
        raise RejectedError(413, "too_many_instances", message)
    images = tuple(_image(entry, f"{key}[{index}]", _LIST_SCHEMA) for index, entry in enumerate(entries))
    return Instances(images, "predictions" if key == "instances" else "outputs")


def _entries(content: Any) -> tuple[str, list[Any]]:
    """Return "instances" or "inputs", and the entries of that list."""
    if not isinstance(content, dict):
        raise RejectedError(400, _LIST_SCHEMA.code, f"The body is {_kind(content)}. {_LIST_SCHEMA.expected}")
    keys = [key for key in ("instances", "inputs") if key in content]
    if len(keys) != 1:
        seen = 'both "instances" and "inputs"' if keys else f'no list of "instances" but is {_kind(content)}'
        raise RejectedError(400, _LIST_SCHEMA.code, f"The body has {seen}. {_LIST_SCHEMA.expected}")
    entries = content[keys[0]]
    if keys == ["inputs"]:
        if isinstance(entries, dict) and "b64" not in entries and len(entries) == 1:
            entries = next(iter(entries.values()))
        entries = [entries] if isinstance(entries, dict | str) else entries
    if not isinstance(entries, list) or not entries:
        seen = "an empty list" if entries == [] else _kind(entries)
        raise RejectedError(
            400, _LIST_SCHEMA.code, f'The body has no list of "{keys[0]}" but {seen} there. {_LIST_SCHEMA.expected}'
        )
    return keys[0], entries


@dataclass(frozen=True)
class Lines:
    """A body with one image per line; lines are decoded on access, so that few images are in memory at once."""

    body: bytes = field(repr=False)
    spans: tuple[tuple[int, int], ...] = field(repr=False)
    """Start and end of each line in the body."""

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.spans)

    def image(self, index: int) -> bytes:
        """Return the bytes of an image.

        Raises:
            RejectedError: The JSON of the line is invalid.
        """
        start, end = self.spans[index]
        line = self.body[start:end]
        if _size(line) > 100:
            if line.count(b"{") <= 2:
                raise _pixels("The line", _LINE_SCHEMA)
            raise RejectedError(400, _LINE_SCHEMA.code, f"The line holds more than one image. {_LINE_SCHEMA.expected}")
        return _image(_json(line, "The line", _LINE_SCHEMA), "The line", _LINE_SCHEMA)


def lines(body: bytes) -> Lines:
    """Find the lines, ended by LF or CR LF; blank ones are ignored.

    Raises:
        RejectedError: The body has no lines, or more than `MAX_LINES`.
    """
    spans = tuple(found.span() for found in itertools.islice(_LINE.finditer(body), MAX_LINES + 1))
    if not spans:
        raise RejectedError(400, "empty", f"The body has only blank lines. {_LINE_SCHEMA.expected}")
    if len(spans) > MAX_LINES:
        raise RejectedError(413, "too_many_lines", f"The body holds more than {MAX_LINES} lines. Send fewer at once.")
    return Lines(body, spans)


def _size(body: bytes) -> int:
    # Base64 has none of these characters, so this counts the objects that a parser would build, before parsing.
    return sum(map(body.count, (b"[", b"{", b",")))


def _json(text: bytes, where: str, schema: _Schema) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        message = f"{where} is not valid JSON: {str(error)[:200]}. {schema.expected}"
        raise RejectedError(400, "invalid_json", message) from error


def _image(entry: Any, where: str, schema: _Schema) -> bytes:
    text = _text(entry)
    if not isinstance(text, str):
        if _is_numbers(entry):
            raise _pixels(where, schema)
        message = f'{where} is not an object with one "b64" text but {_kind(entry)}. {schema.expected}'
        raise RejectedError(400, schema.code, message)
    image = base64_text.decode(text, where)
    if isinstance(entry, str) and imaging.sniff(image) is None:
        message = f"{where} is a string that is not the base64 text of an image. {schema.expected}"
        raise RejectedError(400, schema.code, message)
    mistaken_bodies.reject_mangled(image, where)
    return image


def _text(entry: Any) -> Any:
    """Return the base64 text of an entry: its "b64", that of its only nested object with one, or the entry itself."""
    if not isinstance(entry, dict) or "b64" in entry:
        return entry["b64"] if isinstance(entry, dict) else entry
    inner = [value["b64"] for value in entry.values() if isinstance(value, dict) and "b64" in value]
    return inner[0] if len(inner) == 1 else None


def _pixels(where: str, schema: _Schema) -> RejectedError:
    message = f"{where} holds lists of numbers (pixels). Send the bytes of an image file. {schema.expected}"
    return RejectedError(400, schema.code, message)


def _is_numbers(entry: Any) -> bool:
    while isinstance(entry, list) and entry:
        entry = entry[0]
    return isinstance(entry, int | float) and not isinstance(entry, bool)


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        names = ", ".join(f'"{name:.30}"' for name in list(value)[:5])
        return f"an object with {names}" if names else "an empty object"
    kinds = {list: "a list", str: "a string", type(None): "null", bool: "true or false"}
    return kinds.get(type(value), "a number")
