"""Images as base64 in JSON: a list of `instances`, or a line an image."""

import itertools
import json
import re
from dataclasses import dataclass, field
from typing import Any

from image_classifier import imaging
from image_classifier.serving.formats import base64_text, mistaken_bodies
from image_classifier.serving.rejection import RejectedError

MAX_INSTANCES = 512
"""Images in one list; at 100 ms each they just fit into the platform's 60 s."""
MAX_LINES = 10_000
"""Images in one body of lines: at 60 ms each they fit into the 600 s that batch transform waits unless asked."""
_LINE = re.compile(rb"\S[^\n]*")


@dataclass(frozen=True)
class _Form:
    code: str
    """Of the rejection of what is JSON, but not this form."""
    expected: str


_LIST = _Form("invalid_instances", 'Expected {"instances": [{"b64": "<base64 of an image>"}, ...]}.')
_A_LINE = _Form("invalid_line", 'Expected {"b64": "<base64 of an image>"} in each line.')


@dataclass(frozen=True)
class Listed:
    """The images of a JSON body."""

    images: tuple[bytes, ...]
    key: str
    """Under which the answers stand: predictions for instances, outputs for inputs, as in TensorFlow Serving."""


def instances(body: bytes) -> Listed:
    """Return the images of `{"instances": [{"b64": "..."}, ...]}`, the row format of TensorFlow Serving's REST API.

    Also accepted: its column format, `{"inputs": {"b64": "..."}}`, `{"inputs": [...]}` or `{"inputs": {"name": ...}}`,
    an entry whose only object with "b64" has a name, and the base64 text alone as an entry.

    Raises:
        RejectedError: It is no such JSON, or has more than `MAX_INSTANCES` entries.
    """
    if _size(body) > 4 * MAX_INSTANCES + 100:
        # Objects are images; all else that there may be so much of is numbers.
        if body.count(b"{") > MAX_INSTANCES:
            message = f"The body holds more than {MAX_INSTANCES} instances. Send fewer."
            raise RejectedError(413, "too_many_instances", message)
        raise _pixels("The body", _LIST)
    key, entries = _entries(_json(body, "The body", _LIST))
    if len(entries) > MAX_INSTANCES:
        message = f"The body holds {len(entries)} instances; at most {MAX_INSTANCES} are allowed. Send fewer."
        raise RejectedError(413, "too_many_instances", message)
    images = tuple(_image(entry, f"{key}[{index}]", _LIST) for index, entry in enumerate(entries))
    return Listed(images, "predictions" if key == "instances" else "outputs")


def _entries(found: Any) -> tuple[str, list[Any]]:
    """Return "instances" or "inputs", and the list of what stands there."""
    if not isinstance(found, dict):
        raise RejectedError(400, _LIST.code, f"The body is {_kind(found)}. {_LIST.expected}")
    keys = [key for key in ("instances", "inputs") if key in found]
    if len(keys) != 1:
        seen = 'both "instances" and "inputs"' if keys else f'no list of "instances" but is {_kind(found)}'
        raise RejectedError(400, _LIST.code, f"The body has {seen}. {_LIST.expected}")
    entries = found[keys[0]]
    if keys == ["inputs"]:
        if isinstance(entries, dict) and "b64" not in entries and len(entries) == 1:
            entries = next(iter(entries.values()))
        entries = [entries] if isinstance(entries, dict | str) else entries
    if not isinstance(entries, list) or not entries:
        seen = "an empty list" if entries == [] else _kind(entries)
        raise RejectedError(400, _LIST.code, f'The body has no list of "{keys[0]}" but {seen} there. {_LIST.expected}')
    return keys[0], entries


@dataclass(frozen=True)
class Lines:
    """A body with an image a line; each is decoded when it is asked for, so that few of them are in memory at once."""

    body: bytes = field(repr=False)
    places: tuple[tuple[int, int], ...] = field(repr=False)
    """Where each line begins and ends in the body."""

    def __len__(self) -> int:
        """Return how many images there are."""
        return len(self.places)

    def image(self, index: int) -> bytes:
        """Return the bytes of an image.

        Raises:
            RejectedError: The line is no JSON as it should be.
        """
        start, end = self.places[index]
        line = self.body[start:end]
        if _size(line) > 100:
            if line.count(b"{") <= 2:
                raise _pixels("The line", _A_LINE)
            raise RejectedError(400, _A_LINE.code, f"The line holds more than an image. {_A_LINE.expected}")
        return _image(_json(line, "The line", _A_LINE), "The line", _A_LINE)


def lines(body: bytes) -> Lines:
    """Find the lines, ended by LF or CR LF; blank ones do not count.

    Raises:
        RejectedError: There are none, or more than `MAX_LINES`.
    """
    places = tuple(found.span() for found in itertools.islice(_LINE.finditer(body), MAX_LINES + 1))
    if not places:
        raise RejectedError(400, "empty", f"The body holds nothing but blank lines. {_A_LINE.expected}")
    if len(places) > MAX_LINES:
        raise RejectedError(413, "too_many_lines", f"The body holds more than {MAX_LINES} lines. Send fewer at once.")
    return Lines(body, places)


def _size(body: bytes) -> int:
    # Base64 has none of these characters, so they count what a parser would build before it builds anything.
    return sum(map(body.count, (b"[", b"{", b",")))


def _json(text: bytes, where: str, form: _Form) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        message = f"{where} is not valid JSON: {str(error)[:200]}. {form.expected}"
        raise RejectedError(400, "invalid_json", message) from error


def _image(entry: Any, where: str, form: _Form) -> bytes:
    text = _text(entry)
    if not isinstance(text, str):
        if _is_numbers(entry):
            raise _pixels(where, form)
        message = f'{where} is not an object with one "b64" text but {_kind(entry)}. {form.expected}'
        raise RejectedError(400, form.code, message)
    image = base64_text.decode(text, where)
    if isinstance(entry, str) and imaging.sniff(image) is None:
        message = f"{where} is a string that is not the base64 text of an image. {form.expected}"
        raise RejectedError(400, form.code, message)
    mistaken_bodies.reject_mangled(image, where)
    return image


def _text(entry: Any) -> Any:
    """Return the base64 text of an entry: of "b64", of the only object inside that has one, or the entry itself."""
    if not isinstance(entry, dict) or "b64" in entry:
        return entry["b64"] if isinstance(entry, dict) else entry
    inner = [value["b64"] for value in entry.values() if isinstance(value, dict) and "b64" in value]
    return inner[0] if len(inner) == 1 else None


def _pixels(where: str, form: _Form) -> RejectedError:
    message = f"{where} holds lists of numbers (pixels); the bytes of an image file are wanted. {form.expected}"
    return RejectedError(400, form.code, message)


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
