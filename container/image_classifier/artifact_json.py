"""The JSON files of model folders: decoded in any Unicode encoding, with values of the types that the program uses."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from image_classifier.contract.builtin_hyperparameters import RESIZE_METHODS
from image_classifier.contract.errors import UserError, first_line
from image_classifier.contract.json_objects import type_of

_AGAIN = "Correct the file, or download or train the model again."
_SPELLINGS = {"true": True, "false": False, "1": True, "0": False}
_BOOLEANS = ("finetuned", "binary_mode")
_TEXTS = ("signature", "output_key", "resize_method", "sha256")
_NOTES = ("model_id", "source", "licence")
"""Texts that are shown and decide nothing: of another type, they count as not recorded."""
_SHOWN = 80
"""Characters of a value that a message repeats."""


def read(path: Path) -> Any:
    """Decode a file in UTF-8, UTF-16 or UTF-32, with or without a byte order mark.

    Raises:
        UserError: It is not valid JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except RecursionError as error:
        raise UserError(f"{path} is not valid JSON: it is nested too deeply. {_AGAIN}") from error
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON: {first_line(error)}. {_AGAIN}") from error


def reject_unless_object(found: Any, where: str) -> None:
    """Check that a decoded file is an object.

    Raises:
        UserError: It is something else.
    """
    if not isinstance(found, dict):
        raise UserError(f"{where} must contain a JSON object, got {type_of(found)}. {_AGAIN}")


def typed(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the values of a model info without null and unreadable notes, booleans decoded from text and 0 or 1.

    Raises:
        UserError: A value has another type than its key demands.
    """
    # Null stands for a value that is not recorded.
    result = {
        key: value
        for key, value in values.items()
        if value is not None and (key not in _NOTES or isinstance(value, str))
    }
    for key in _BOOLEANS:
        if (text := str(result.get(key)).lower()) in _SPELLINGS:
            result[key] = _SPELLINGS[text]
    allowed = {
        **dict.fromkeys(_BOOLEANS, (bool, "true or false")),
        **dict.fromkeys(_TEXTS, (str, "a text")),
        "hyperparameters": (dict, "an object"),
    }
    for key, (kind, words) in allowed.items():
        if key in result and not isinstance(result[key], kind):
            raise UserError(f"{where}: {key} is {repr(result[key])[:_SHOWN]}; expected {words}. {_AGAIN}")
    method = result.get("resize_method")
    if method is not None and method not in RESIZE_METHODS:
        raise UserError(f"{where}: resize_method is {method[:_SHOWN]!r}; allowed: {', '.join(RESIZE_METHODS)}.")
    return result


def names_by_index(found: Any) -> list[str] | None:
    """Return the names of `{name: index}` in index order; None unless the indices are 0, 1, 2 and so on."""
    if not isinstance(found, dict):
        return None
    try:
        indices = {name: int(index) for name, index in found.items() if not isinstance(index, bool)}
    except (TypeError, ValueError):
        return None
    ordered = sorted(indices, key=indices.__getitem__)
    return ordered if [indices[name] for name in ordered] == list(range(len(found))) else None
