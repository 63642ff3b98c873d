"""Values in an experiment's file: what options and hyperparameters may be, and how they are written and shown."""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from image_classifier.contract.names import on_one_line
from image_classifier.contract.value_forms import encode

Option = str | int | float | bool | Sequence[str] | Mapping[str, str]
"""The value of a runner's option: a scalar, an array of texts or a table of texts."""


def table(given: Mapping[str, Any], name: str, found: list[str]) -> Mapping[str, Any]:
    """Return a table of the file, empty if it is missing; a sentence is added to `found` if it is something else."""
    value = given.get(name, {})
    if isinstance(value, Mapping):
        return value
    found.append(f"{name} is {shown(value)}; expected a table, [{name}].")
    return {}


def options(given: Mapping[str, Any], runner: str, found: list[str]) -> Mapping[str, Option]:
    """Return the values of a runner's table that an option can have; a sentence is added to `found` for each other."""
    values = table(given, runner, found)
    for name, value in values.items():
        if not _is_option(value):
            found.append(
                f"{name} in [{runner}] is {shown(value)}; expected a text, a number, true or false, an array of texts "
                "or a table of texts."
            )
    return MappingProxyType({name: value for name, value in values.items() if _is_option(value)})


def hyperparameter(value: Any) -> str:
    """Return a value of the file as a job gets it, which is always text."""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return encode(value) if isinstance(value, int | float | bool) and value == value else str(value)


def native(written: str) -> str | int | float | bool:
    """Return the TOML value that `hyperparameter` turns into the same text, a plain number or boolean if there is."""
    if written in ("True", "False"):
        return written == "True"
    for kind in (int, float):
        try:
            value: int | float = kind(written)
        except ValueError:
            continue
        if abs(value) < 1e15 and hyperparameter(value) == written:
            return value
    return written


def shown(value: object) -> str:
    """Return a value for a message, in one line of at most 60 characters."""
    text = on_one_line(json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_option(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    if isinstance(value, dict):
        return all(isinstance(item, str) for item in value.values())
    return isinstance(value, str | int | float | bool)
