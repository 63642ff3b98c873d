"""Writer of TOML 1.0 for flat files: scalars, arrays of scalars, and tables of them; `tomllib` reads it back equal."""

import math
from collections.abc import Mapping, Sequence

Scalar = str | int | float | bool
Value = Scalar | Sequence[Scalar]
Table = Mapping[str, Value]

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


def document(table: Table, tables: Mapping[str, Table | Mapping[str, Table]]) -> str:
    """Return the text of a file: the top-level values, then one section per table that is not empty.

    A table may hold tables of its own, which become sections such as `[sagemaker.tags]`.

    Raises:
        ValueError: A text has a lone surrogate, which TOML cannot hold.
    """
    sections = ["".join(_lines(table))]
    for name, inner in tables.items():
        sections += _sections((name,), inner)
    return "\n".join(filter(None, sections))


def _sections(names: tuple[str, ...], table: Mapping[str, object]) -> list[str]:
    values = {name: value for name, value in table.items() if not isinstance(value, Mapping)}
    title = ".".join(map(_key, names))
    found = [f"[{title}]\n" + "".join(_lines(values))] if values else []
    for name, inner in table.items():
        if isinstance(inner, Mapping):
            found += _sections((*names, name), inner)
    return found


def _lines(table: Mapping[str, object]) -> list[str]:
    return [f"{_key(name)} = {_value(value)}\n" for name, value in table.items()]


def _key(name: str) -> str:
    return name if name and _BARE.issuperset(name) else _text(name)


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _text(value)
        case float():
            return repr(value) if math.isfinite(value) else str(value)
        case int():
            return str(value)
        case Sequence():
            return f"[{', '.join(map(_value, value))}]"
    raise TypeError(f"{type(value).__name__} has no form in this writer")


def _text(text: str) -> str:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError(f"{text!r} has a lone surrogate, which TOML cannot hold")
    return f'"{"".join(map(_character, text))}"'


def _character(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    return f"\\u{ord(character):04X}" if ord(character) < 0x20 or ord(character) == 0x7F else character
