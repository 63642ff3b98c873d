"""Parser of Content-Type and Accept (RFC 9110, 8.3.1 and 12.5.1): spaces, case, quotes and q-values included."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class MediaType:
    """A media type in lower case, such as `application/json`, and its parameters; the value of a bare word is empty."""

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def quality(self) -> float:
        """The preference q, 0 to 1; 1 if it is missing or not a number."""
        try:
            quality = float(self.parameters.get("q", "1"))
        except ValueError:
            return 1.0
        return min(max(quality, 0.0), 1.0) if math.isfinite(quality) else 1.0

    def has(self, word: str) -> bool:
        """Return whether a parameter is present, bare or with any value but false and 0."""
        return self.parameters.get(word, "false").lower() not in ("false", "0")


def parse(text: str) -> MediaType:
    """Parse one media type; invalid text becomes a name that matches no type."""
    name, *rest = [piece.strip() for piece in _split(text, ";")] or [""]
    parameters = {}
    for piece in rest:
        key, _, value = piece.partition("=")
        parameters[key.strip().lower()] = _unquoted(value.strip())
    return MediaType(name.lower(), parameters)


def parse_preferences(text: str) -> list[MediaType]:
    """Parse an Accept header by descending preference, ties in the given order, without types excluded by q=0."""
    found = [parse(piece) for piece in _split(text, ",")]
    acceptable = [media_type for media_type in found if media_type.name and media_type.quality > 0]
    return sorted(acceptable, key=lambda media_type: -media_type.quality)


def _split(text: str, separator: str) -> list[str]:
    """Split at separators outside quoted strings, without empty pieces, in linear time."""
    if '"' not in text:
        return [piece for piece in text.split(separator) if piece]
    pieces, start, position, closes = [], 0, 0, True
    while position < len(text):
        if text[position] == separator:
            pieces.append(text[start:position])
            start = position + 1
        elif closes and text[position] == '"':
            end = _end_of_quoted(text, position)
            # If one quoted string is not closed, no later one is: each would look for the same quote.
            closes = end is not None
            position = position if end is None else end
        position += 1
    return [piece for piece in (*pieces, text[start:]) if piece]


def _end_of_quoted(text: str, start: int) -> int | None:
    """Return the position of the closing quote of the quoted string at `start`; None if it is not closed."""
    position = start + 1
    while position < len(text):
        if text[position] == '"':
            return position
        position += 2 if text[position] == "\\" else 1
    return None


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value
