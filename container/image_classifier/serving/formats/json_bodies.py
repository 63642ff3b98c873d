"""Pictures as base64 in JSON: a list of `instances`, or a line a picture."""

import base64
import binascii
import itertools
import json
import re
from dataclasses import dataclass, field
from typing import Any

from image_classifier.serving.refusal import RefusedError

MAX_INSTANCES = 512
"""Pictures in one list; at 100 ms each they just fit into the platform's 60 s."""
MAX_LINES = 10_000
"""Pictures in one body of lines: at 60 ms each they fit into the 600 s that batch transform waits unless asked."""
_LINE = re.compile(rb"\S[^\n]*")


@dataclass(frozen=True)
class _Form:
    code: str
    """Of the refusal of what is JSON, but not this form."""
    expected: str


_LIST = _Form("invalid_instances", 'Expected {"instances": [{"b64": "<base64 of a picture>"}, ...]}.')
_A_LINE = _Form("invalid_line", 'Expected {"b64": "<base64 of a picture>"} in each line.')


def instances(body: bytes) -> tuple[bytes, ...]:
    """Return the pictures of `{"instances": [{"b64": "..."}, ...]}`, the row format of TensorFlow Serving's REST API.

    Raises:
        RefusedError: It is no such JSON, or has more than `MAX_INSTANCES` entries.
    """
    if _size(body) > 4 * MAX_INSTANCES + 100:
        message = f"The body holds more than {MAX_INSTANCES} instances. Send fewer."
        raise RefusedError(413, "too_many_instances", message)
    found = _json(body, "The body", _LIST)
    entries = found.get("instances") if isinstance(found, dict) else None
    if not isinstance(entries, list) or not entries:
        raise RefusedError(400, _LIST.code, f'The body has no list of "instances". {_LIST.expected}')
    if len(entries) > MAX_INSTANCES:
        message = f"The body holds {len(entries)} instances; at most {MAX_INSTANCES} are allowed. Send fewer."
        raise RefusedError(413, "too_many_instances", message)
    return tuple(_picture(entry, f"instances[{index}]", _LIST) for index, entry in enumerate(entries))


@dataclass(frozen=True)
class Lines:
    """A body with a picture a line; each is decoded when it is asked for, so that few of them are in memory at once."""

    body: bytes = field(repr=False)
    places: tuple[tuple[int, int], ...] = field(repr=False)
    """Where each line begins and ends in the body."""

    def __len__(self) -> int:
        """Return how many pictures there are."""
        return len(self.places)

    def picture(self, index: int) -> bytes:
        """Return the bytes of a picture.

        Raises:
            RefusedError: The line is no JSON as it should be.
        """
        start, end = self.places[index]
        line = self.body[start:end]
        if _size(line) > 100:
            raise RefusedError(400, _A_LINE.code, f"The line holds more than a picture. {_A_LINE.expected}")
        return _picture(_json(line, "The line", _A_LINE), "The line", _A_LINE)


def lines(body: bytes) -> Lines:
    """Find the lines, ended by LF or CR LF; blank ones do not count.

    Raises:
        RefusedError: There are none, or more than `MAX_LINES`.
    """
    places = tuple(found.span() for found in itertools.islice(_LINE.finditer(body), MAX_LINES + 1))
    if not places:
        raise RefusedError(400, "empty", f"The body holds nothing but blank lines. {_A_LINE.expected}")
    if len(places) > MAX_LINES:
        raise RefusedError(413, "too_many_lines", f"The body holds more than {MAX_LINES} lines. Send fewer at once.")
    return Lines(body, places)


def _size(body: bytes) -> int:
    # Base64 has none of these characters, so they count what a parser would build before it builds anything.
    return sum(map(body.count, (b"[", b"{", b",")))


def _json(text: bytes, where: str, form: _Form) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        message = f"{where} is not valid JSON: {str(error)[:200]}. {form.expected}"
        raise RefusedError(400, "invalid_json", message) from error


def _picture(entry: Any, where: str, form: _Form) -> bytes:
    text = entry.get("b64") if isinstance(entry, dict) else None
    if not isinstance(text, str):
        raise RefusedError(400, form.code, f'{where} is not an object with "b64". {form.expected}')
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RefusedError(400, "invalid_base64", f"{where} is not valid base64: {error}.") from error
