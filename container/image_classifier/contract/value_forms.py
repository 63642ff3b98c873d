"""Decode hyperparameter values from every form in which callers send them, and encode them in one."""

import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from image_classifier.contract.declaration import Declaration, Value
from image_classifier.contract.json_objects import RepeatedNameError, each_name_once
from image_classifier.contract.names import normalised

NOT_GIVEN = ("", "none", "null")
"""Texts that stand for an omitted value: empty, Python's None and JSON's null, in any case."""
_LARGEST = {int: 2**31 - 1, float: 1e38}
"""Largest values without a declared maximum: signed 32-bit integers, and what float32 holds."""
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def decode(declared: Declaration, written: Any) -> Value:
    """Decode a value that is raw text, JSON, JSON inside a string, or a JSON type.

    Booleans and choices are case-insensitive; integers may be written as 32.0.

    Raises:
        ValueError: The value is not allowed; the text is the reason, or empty if the declaration's `allowed` suffices.
    """
    value = _unwrap(written, only_quotes=declared.kind is str and not declared.choices)
    if declared.kind is bool:
        return _boolean(value)
    if declared.choices:
        return _choice(declared, value)
    if declared.kind is str:
        return str(declared.default) if declared.default in NOT_GIVEN and is_not_given(value) else _text(value)
    return _number(declared, value)


def encode(value: Value) -> str:
    """Encode a value as text: True, 32, 0.0000001 (without exponent), adam."""
    return format(Decimal(repr(value)), "f") if isinstance(value, float) else str(value)


def is_not_given(value: Any) -> bool:
    """Return whether a decoded value stands for an omitted text, see `NOT_GIVEN`."""
    return value is None or (isinstance(value, str) and value.strip().lower() in NOT_GIVEN)


def plain_text(written: Any) -> str:
    """Decode a text that is raw or quoted as JSON, possibly repeatedly; empty when it was omitted."""
    value = _unwrap(written, only_quotes=True)
    return "" if is_not_given(value) else str(value)


def class_weights(text: str) -> str | Mapping[str, float]:
    """Decode the hyperparameter class_weights: "none", "auto", or a positive weight by class name.

    Class names are in Unicode's composed form.

    Raises:
        ValueError: The value is invalid; the text is the reason.
    """
    if text.lower() in ("none", "auto"):
        return text.lower()
    try:
        weights = json.loads(text, object_pairs_hook=_normalised)
    except RepeatedNameError as repeated:
        raise ValueError(f"in which {repeated}") from None
    except (ValueError, RecursionError):
        weights = None
    if not isinstance(weights, dict):
        raise ValueError("which is not a JSON object (names need double quotes)")
    wrong = [name for name, weight in weights.items() if not _is_positive(weight)]
    if wrong:
        raise ValueError(f"in which the weight of {', '.join(wrong)} is not a positive number")
    return {name: float(weight) for name, weight in weights.items()}


def _normalised(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return each_name_once([(normalised(name), value) for name, value in pairs])


def _is_positive(weight: Any) -> bool:
    # Larger weights are infinite in float32.
    return isinstance(weight, int | float) and not isinstance(weight, bool) and 0 < weight < 3e38


def _unwrap(written: Any, only_quotes: bool) -> Any:
    value = written
    while isinstance(value, str):
        try:
            inner = json.loads(value)
        except (ValueError, RecursionError):
            return value.strip()
        if isinstance(inner, dict | list) or (only_quotes and not isinstance(inner, str)):
            return value.strip()
        value = inner
    return value


def _boolean(value: Any) -> bool:
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise ValueError
    return value


def _choice(declared: Declaration, value: Any) -> str:
    # JSON's true, false and null become the texts True, False and None.
    for choice in declared.choices:
        if str(value).lower() == choice.lower():
            return choice
    raise ValueError


def _text(value: Any) -> str:
    if isinstance(value, bool | dict | list) or value is None:
        raise ValueError
    return str(value)


def _number(declared: Declaration, value: Any) -> int | float:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    if isinstance(value, str) and _DECIMAL_COMMA.fullmatch(value):
        raise ValueError("which has a comma; write a point before decimals and nothing between thousands")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("which is not a finite number")
    if declared.minimum is not None and value < declared.minimum:
        raise ValueError
    if declared.maximum is not None and value > declared.maximum:
        raise ValueError
    if declared.maximum is None and value > _LARGEST[declared.kind]:
        raise ValueError(f"which is more than {_LARGEST[declared.kind]:.10g}")
    if value in declared.excluded:
        raise ValueError(declared.excluded[value])
    if declared.kind is float:
        return float(value)
    if value != int(value):
        raise ValueError
    return int(value)
