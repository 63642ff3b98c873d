"""The forms in which a hyperparameter's value is written, and the one in which we write it."""

import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from image_classifier.contract.declaration import Declaration, Value

NOT_GIVEN = ("", "none", "null")
"""What callers write for a text that they leave out: Python's None and JSON's null as text, in any case."""
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def decode(declared: Declaration, written: Any) -> Value:
    """Return the value that was written raw, as JSON, as JSON inside a string, or as a real JSON type.

    Booleans and choices are taken in any case, whole numbers also as 32.0.

    Raises:
        ValueError: It is no value of this hyperparameter; the text is the reason, or empty when the
            declaration's `allowed` says enough.
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
    """Write a value as the text that every caller may send: True, 32, 0.0000001 (never an exponent), adam."""
    return format(Decimal(repr(value)), "f") if isinstance(value, float) else str(value)


def is_not_given(value: Any) -> bool:
    """Tell whether an unwrapped value stands for a text that was left out; see `NOT_GIVEN`."""
    return value is None or (isinstance(value, str) and value.strip().lower() in NOT_GIVEN)


def plain_text(written: Any) -> str:
    """Return a text that was written raw or in JSON's quotes, once or more often; empty when it was left out."""
    value = _unwrap(written, only_quotes=True)
    return "" if is_not_given(value) else str(value)


def class_weights(text: str) -> str | Mapping[str, float]:
    """Return what the hyperparameter class_weights says: "none", "auto", or a positive weight by class name.

    Raises:
        ValueError: It is none of them; the text is the reason.
    """
    if text.lower() in ("none", "auto"):
        return text.lower()
    try:
        weights = json.loads(text)
    except (ValueError, RecursionError):
        weights = None
    if not isinstance(weights, dict):
        raise ValueError("which is no JSON object (names stand in double quotes)")
    wrong = [name for name, weight in weights.items() if not _is_positive(weight)]
    if wrong:
        raise ValueError(f"where {', '.join(wrong)} has no positive number")
    return {name: float(weight) for name, weight in weights.items()}


def _is_positive(weight: Any) -> bool:
    # Beyond float32's largest number a weight would be infinite.
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
    # True, False and None are the text of JSON's true, false and null.
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
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("which is not a finite number")
    if declared.minimum is not None and value < declared.minimum:
        raise ValueError
    if declared.maximum is not None and value > declared.maximum:
        raise ValueError
    if value in declared.excluded:
        raise ValueError(declared.excluded[value])
    if declared.kind is float:
        return float(value)
    if value != int(value):
        raise ValueError
    return int(value)
