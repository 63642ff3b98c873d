"""The hyperparameters that a search varies, and the values among which it looks."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from image_classifier.contract.declaration import Declaration, Value
from image_classifier.contract.errors import UserError
from image_classifier.contract.hyperparameters import DECLARATIONS, Hyperparameters
from image_classifier.contract.parsing import GIVEN

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

_DIGITS = 3
"""Significant digits of a number, so that a person can give it."""


def searched(values: Hyperparameters, sources: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names to search: those with a recommended range that were not given.

    A given value that equals its default, ours or JumpStart's, counts as not given: the SDK's
    `hyperparameters.retrieve_default` passes all of them.

    Raises:
        UserError: All of them were given.
    """
    ranged = [item for item in DECLARATIONS if item.recommended]
    names = tuple(
        item.name
        for item in ranged
        if sources[item.name] != GIVEN or getattr(values, item.name) in (item.default, item.builtin_default)
    )
    if not names:
        raise UserError(
            f"recipe=search has nothing to search: {', '.join(item.name for item in ranged)} are all given. Leave out "
            "at least one of them, or use recipe=builtin."
        )
    return names


def declared(names: Collection[str]) -> tuple[Declaration, ...]:
    """Return the declarations of these names, in their usual order."""
    return tuple(item for item in DECLARATIONS if item.name in names)


def distributions(space: Sequence[Declaration]) -> dict[str, "BaseDistribution"]:
    """Return Optuna's form of each recommended range, by name."""
    return {item.name: _distribution(item) for item in space}


def _distribution(item: Declaration) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if item.choices:
        return CategoricalDistribution(item.recommended)
    low, high = item.recommended
    if item.kind is int:
        return IntDistribution(int(low), int(high), log=item.logarithmic)
    return FloatDistribution(float(low), float(high), log=item.logarithmic)


def contains(space: Sequence[Declaration], values: Mapping[str, Any]) -> bool:
    """Return whether every value lies in its recommended range."""
    return all(_contains(item, values[item.name]) for item in space)


def _contains(item: Declaration, value: Any) -> bool:
    if item.choices:
        return value in item.recommended
    low, high = item.recommended
    return bool(low <= value <= high)


def rounded(item: Declaration, drawn: Any) -> Value:
    """Return a drawn value with few digits, still in its recommended range."""
    if item.kind is not float:
        kept: Value = item.kind(drawn)
        return kept
    short = float(f"{drawn:.{_DIGITS}g}")
    return short if _contains(item, short) else float(drawn)
