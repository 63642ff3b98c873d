"""Content-Type and Accept as RFC 9110 (8.3.1, 12.5.1) writes them: spaces, case, quotes and q-values included."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class MediaType:
    """A media type without case: `application/json`, and its parameters, an empty value for a bare word."""

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def quality(self) -> float:
        """The preference q, 0 to 1; 1 when none is given or what is given is no number."""
        try:
            given = float(self.parameters.get("q", "1"))
        except ValueError:
            return 1.0
        return min(max(given, 0.0), 1.0) if math.isfinite(given) else 1.0

    def has(self, word: str) -> bool:
        """Say whether a parameter stands there, bare or with any value but false and 0."""
        return self.parameters.get(word, "false").lower() not in ("false", "0")


def parse(text: str) -> MediaType:
    """Parse one media type; what cannot be understood becomes a name that nothing is called."""
    name, *rest = [piece.strip() for piece in _split(text, ";")] or [""]
    parameters = {}
    for piece in rest:
        key, _, value = piece.partition("=")
        parameters[key.strip().lower()] = _unquoted(value.strip())
    return MediaType(name.lower(), parameters)


def parse_preferences(text: str) -> list[MediaType]:
    """Parse an Accept header, the most wanted first, equals in the order given, unwanted (q=0) left out."""
    found = [parse(piece) for piece in _split(text, ",")]
    wanted = [media_type for media_type in found if media_type.name and media_type.quality > 0]
    return sorted(wanted, key=lambda media_type: -media_type.quality)


def _split(text: str, separator: str) -> list[str]:
    """Split at separators outside quoted strings, empty pieces left out, in time proportional to the length."""
    if '"' not in text:
        return [piece for piece in text.split(separator) if piece]
    pieces, start, position, closes = [], 0, 0, True
    while position < len(text):
        if text[position] == separator:
            pieces.append(text[start:position])
            start = position + 1
        elif closes and text[position] == '"':
            end = _end_of_quoted(text, position)
            # Where one quoted string does not end, none behind it does: each looks for the same end.
            closes = end is not None
            position = position if end is None else end
        position += 1
    return [piece for piece in (*pieces, text[start:]) if piece]


def _end_of_quoted(text: str, start: int) -> int | None:
    """Return where the quoted string that begins at `start` has its closing quote; None when it has none."""
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
