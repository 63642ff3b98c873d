"""Decoded JSON: objects without repeated names, of which the decoder would take the last, and types in words."""

from typing import Any

_SHOWN = 60
"""Characters of a name that a message repeats."""


_TYPES = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}


def type_of(value: Any) -> str:
    """Return the type of a decoded value in words, with its article: `a list`, `null`."""
    return _TYPES.get(type(value), "a number")


class RepeatedNameError(ValueError):
    """An object gives a name twice with different values; the text says which, without a full stop."""


def each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of these names and values, as the `object_pairs_hook` of `json.loads`.

    Raises:
        RepeatedNameError: A name is given twice with different values.
    """
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found and found[name] != value:
            raise RepeatedNameError(f"{name[:_SHOWN]!r} is given twice with different values")
        found[name] = value
    return found
