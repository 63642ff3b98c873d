"""Read options of every kind, from flags, a form or the experiment's file, by their declarations."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from image_classifier.contract import durations
from image_classifier.contract.declaration import Declaration, Value, declarations_of
from image_classifier.contract.errors import UserError
from image_classifier.contract.value_forms import decode

_Options = TypeVar("_Options")


def items(text: str) -> list[str]:
    """Return the items of a text with commas."""
    return [item.strip() for item in text.split(",") if item.strip()]


def read(kind: type[_Options], given: Mapping[str, Any]) -> tuple[_Options, list[str]]:
    """Return options of a declared class, with defaults for those that are not given, and the problems of the others.

    See `read_values`.
    """
    values, problems = read_values(declarations_of(kind), given)
    # Each value has the type of its default, which mypy cannot see.
    typed: dict[str, Any] = dict(values)
    return kind(**typed), problems


def read_values(declarations: Sequence[Declaration], given: Mapping[str, Any]) -> tuple[dict[str, Value], list[str]]:
    """Return the values of given options, and a sentence for each unknown name and each value that is not allowed."""
    declared = {declaration.name: declaration for declaration in declarations}
    problems: list[str] = []
    values: dict[str, Value] = {}
    for name, written in given.items():
        if name not in declared:
            problems.append(_unknown(name, declared))
            continue
        try:
            values[name] = decode(declared[name], _with_commas(written))
        except ValueError as reason:
            because = f", {reason}" if str(reason) else ""
            problems.append(f"{name} is {written!r}{because}; allowed: {declared[name].allowed}.")
    return values, problems


def _unknown(name: str, declared: Mapping[str, Declaration]) -> str:
    near = difflib.get_close_matches(name.lower().replace("-", "_"), declared, n=1)
    if near:
        return f"Unknown option {name}; did you mean {near[0]}?"
    return f"Unknown option {name}. scripts/launch VERB --help lists the options; in a file they have _ instead of -."


def reject(problems: Sequence[str]) -> None:
    """Raise one error with all problems, if there are any.

    Raises:
        UserError: There are.
    """
    if problems:
        listed = problems[0] if len(problems) == 1 else "".join(f"\n- {problem}" for problem in problems)
        raise UserError(f"The options for SageMaker are invalid: {listed}")


def duration_problems(name: str, text: str) -> list[str]:
    """Return a sentence if an optional duration cannot be read."""
    try:
        if text:
            durations.seconds(text)
    except ValueError as error:
        return [f"{name}: {error}."]
    return []


def _with_commas(written: Any) -> Any:
    """Return an array or a table of the experiment's file as the text that a flag gives."""
    if isinstance(written, Mapping):
        return ",".join(f"{name}={value}" for name, value in written.items())
    if isinstance(written, Sequence) and not isinstance(written, str):
        return ",".join(written)
    return written
