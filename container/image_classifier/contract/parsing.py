"""From names and values in many spellings to one value each, or one message that names every problem."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from image_classifier.contract.declaration import Declaration, Value
from image_classifier.contract.errors import UserError
from image_classifier.contract.value_forms import decode

GIVEN = "given"
MODELS_DEFAULT = "the model's default"
OUR_DEFAULT = "our default"
_IGNORED = ("_tuning_objective_metric", "default_user_module_name", "model_dir")
"""Added by the tuner and by the SageMaker SDK's TensorFlow estimator; `sagemaker_*` by other parts of the SDK."""
_SHOWN = 60
"""Characters of a given name or value that a message repeats: the platform keeps 1,024 of the whole."""


@dataclass(frozen=True)
class _Problem:
    name: str
    text: str


def parse(
    declarations: Sequence[Declaration], given: Mapping[str, Any], model_defaults: Mapping[str, Any]
) -> tuple[dict[str, Value], dict[str, str]]:
    """Return the value and the source of every declared hyperparameter.

    Raises:
        UserError: One message that names every problem.
    """
    given_spellings, problems = _by_name(declarations, given)
    default_spellings, _ = _by_name(declarations, model_defaults)
    values: dict[str, Value] = {}
    sources: dict[str, str] = {}
    for declared in declarations:
        name = declared.name
        values[name], sources[name] = declared.default, OUR_DEFAULT
        for spellings, source in ((given_spellings, GIVEN), (default_spellings, MODELS_DEFAULT)):
            if name in spellings:
                sources[name] = source
                try:
                    values[name] = _one_value(declared, spellings[name], source)
                except ValueError as problem:
                    problems.append(_Problem(name, str(problem)))
                break
    problems += _contradictions(values, {problem.name for problem in problems})
    if problems:
        raise UserError(_message(problems))
    return values, sources


def _by_name(
    declarations: Sequence[Declaration], written: Mapping[str, Any]
) -> tuple[dict[str, dict[str, Any]], list[_Problem]]:
    """Sort what was written under declared names: {name: {spelling: value}}, and the names that nobody declared."""
    names = {alias: declared.name for declared in declarations for alias in (declared.name, *declared.aliases)}
    found: dict[str, dict[str, Any]] = {}
    unknown = []
    for spelling, value in written.items():
        plain = spelling.strip().replace("-", "_")
        if plain in names:
            found.setdefault(names[plain], {})[spelling] = value
        elif plain not in _IGNORED and not plain.startswith("sagemaker_"):
            unknown.append(_Problem(_shown(spelling), _unknown(spelling, plain, names)))
    return found, unknown


def _unknown(spelling: str, plain: str, names: Mapping[str, str]) -> str:
    near = difflib.get_close_matches(plain.lower(), names, n=1, cutoff=0.5)
    hint = f"; did you mean {names[near[0]]}?" if near else "; the reference lists all names."
    return f"{_shown(spelling)} is no hyperparameter{hint}"


def _one_value(declared: Declaration, spellings: Mapping[str, Any], source: str) -> Value:
    values: dict[str, Value] = {}
    for spelling, written in spellings.items():
        where = spelling if source == GIVEN else f"{spelling} ({source})"
        try:
            values[spelling] = decode(declared, written)
        except ValueError as reason:
            because = f", {reason}" if str(reason) else ""
            raise ValueError(f"{where} is {_shown(repr(written))}{because}; allowed: {declared.allowed}.") from None
    if len(set(values.values())) > 1:
        both = ", ".join(f"{spelling} = {value}" for spelling, value in values.items())
        raise ValueError(f"{declared.name} has two values: {both}; give one of them.")
    return next(iter(values.values()))


def _contradictions(values: Mapping[str, Value], doubtful: Iterable[str]) -> list[_Problem]:
    metric, binary = "eval_metric", "binary_mode"
    if values[metric] == "accuracy" or values[binary] or {metric, binary} & set(doubtful):
        return []
    text = (
        f"{metric} is {values[metric]!r}, which is measured in binary mode alone; allowed: accuracy, or {binary}=True."
    )
    return [_Problem(metric, text)]


def _message(problems: Sequence[_Problem]) -> str:
    if len(problems) == 1:
        return f"A hyperparameter is wrong: {problems[0].text}"
    # The names first: whatever the platform cuts off, it is known what to look at.
    names = ", ".join(problem.name for problem in problems)
    lines = "".join(f"\n- {problem.text}" for problem in problems)
    return f"{len(problems)} hyperparameters are wrong: {names}.{lines}"


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
