"""Checks of the values that a model info records: artefacts are untrusted, so each may be missing or of any type."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_LONGEST = 60
"""Characters of a wrong value that an error repeats."""


@dataclass(frozen=True)
class Expected:
    """What a recorded value must be, in words for the error and as a test."""

    words: str
    holds: Callable[[Any], bool]


def number(low: float, high: float = math.inf) -> Expected:
    """Return the check of a finite number from `low` to `high`."""
    words = f"a number from {low:g} to {high:g}" if high < math.inf else f"a number of at least {low:g}"
    return Expected(words, lambda value: _is_number(value) and low <= value <= high and value < math.inf)


def whole(low: int) -> Expected:
    """Return the check of a whole number of at least `low`."""
    return Expected(
        f"a whole number of at least {low}", lambda value: _is_number(value) and isinstance(value, int) and value >= low
    )


TEXT = Expected("a text", lambda value: isinstance(value, str) and bool(value))
BOOLEAN = Expected("true or false", lambda value: isinstance(value, bool))
TEXTS = Expected(
    "a list of texts", lambda value: isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)
)
OBJECT = Expected("an object", lambda value: isinstance(value, Mapping))


def problem(found: Mapping[str, Any], expected: Mapping[str, Expected], prefix: str = "") -> str | None:
    """Return the first wrong value as a clause, without a full stop; None when all are as `expected`.

    Keys that are not in `expected` are ignored: a later version may have written them. `prefix` goes before the names.
    """
    for name, check in expected.items():
        if name not in found:
            return f"{prefix}{name} is missing, {check.words}"
        if not check.holds(found[name]):
            text = repr(found[name])
            shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
            return f"{prefix}{name} is {shown}, and must be {check.words}"
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
