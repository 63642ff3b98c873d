"""Ranges of a search as a user writes them: `learning_rate=0.001:0.1,epochs=5:20,optimizer=adam/sgd`."""

from collections.abc import Sequence
from typing import Any

from image_classifier.contract import specification
from image_classifier.contract.declaration import Declaration
from image_classifier.contract.hyperparameters import DECLARATIONS
from image_classifier.contract.value_forms import decode

EXAMPLE = "learning_rate=0.001:0.1,optimizer=adam/sgd"


def parse(items: Sequence[str]) -> tuple[dict[str, tuple[str, dict[str, Any]]], list[str]]:
    """Return each range as its list in `ParameterRanges` and its entry there, by name; and a sentence for each mistake.

    Args:
        items: Such as `epochs=5:20` for numbers from 5 to 20, or `optimizer=adam/sgd` for one of several values.
    """
    declared = {one.name: one for one in DECLARATIONS}
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    problems = []
    for item in items:
        name, _, written = item.partition("=")
        plain = name.strip().replace("-", "_")
        try:
            if plain not in declared:
                raise ValueError(f"{name} is not the name of a hyperparameter")
            if plain in found:
                raise ValueError(f"{name} is given twice")
            found[plain] = _range(declared[plain], written)
        except ValueError as error:
            problems.append(f"own_ranges: {item}: {error}. Write them as in {EXAMPLE}.")
    return found, problems


def _range(declared: Declaration, written: str) -> tuple[str, dict[str, Any]]:
    is_number = declared.kind in (int, float)
    if not is_number and declared.kind is not bool and not declared.choices:
        raise ValueError("it is a text, and a search takes its values from ranges or choices")
    values = [_decoded(declared, value.strip()) for value in written.split(":" if is_number else "/")]
    if is_number and (len(values) != 2 or not values[0] < values[1]):
        raise ValueError("expected the smallest and the largest value, separated by a colon")
    if not is_number and (len(values) < 2 or len(set(values)) < len(values)):
        raise ValueError("expected at least two different values, separated by slashes")
    return specification.search_range(declared, values)


def _decoded(declared: Declaration, text: str) -> Any:
    try:
        return decode(declared, text)
    except ValueError as error:
        raise ValueError(f"{text or 'nothing'} is not allowed, {declared.allowed} is") from error
