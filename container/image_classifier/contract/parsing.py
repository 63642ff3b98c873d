"""Parse hyperparameters: names and values in any accepted form to one value each, or one message with every problem."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from image_classifier.contract import contradictions, unknown_names
from image_classifier.contract.contradictions import Problem, shown
from image_classifier.contract.declaration import Declaration, Value
from image_classifier.contract.errors import UserError
from image_classifier.contract.names import code_points, unmistakable
from image_classifier.contract.opt_ml import TRIAL_MARK
from image_classifier.contract.value_forms import decode

GIVEN = "given"
MODELS_DEFAULT = "the model's default"
OUR_DEFAULT = "our default"
CHOSEN = "chosen by the recipe"
_IGNORED = (TRIAL_MARK, "default_user_module_name", "model_dir")
"""Added by the tuner and by the SageMaker SDK's TensorFlow estimator; other parts of the SDK add `sagemaker_*`."""


@dataclass(frozen=True)
class Resolved:
    """The value and the source of every declared hyperparameter, and what is wrong with them."""

    values: dict[str, Value]
    """Declared defaults in place of invalid values."""
    sources: dict[str, str]
    problems: tuple[Problem, ...]


def parse(
    declarations: Sequence[Declaration], given: Mapping[str, Any], model_defaults: Mapping[str, Any]
) -> tuple[dict[str, Value], dict[str, str]]:
    """Return the value and the source of every declared hyperparameter.

    Raises:
        UserError: One message that lists every problem.
    """
    found = resolve(declarations, given, model_defaults)
    if found.problems:
        raise UserError(_message(found.problems))
    return found.values, found.sources


def resolve(
    declarations: Sequence[Declaration], given: Mapping[str, Any], model_defaults: Mapping[str, Any]
) -> Resolved:
    """Return the values and sources of every declared hyperparameter with the problems, each with its name."""
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
                    problems.append(Problem(name, str(problem)))
                break
    given_values = {name: values[name] for name, source in sources.items() if source == GIVEN}
    problems += contradictions.find(declarations, values, given_values, {problem.name for problem in problems})
    doubtful = {problem.name for problem in problems}
    if values[contradictions.RECIPE] == contradictions.AUTO and contradictions.RECIPE not in doubtful:
        for declared in declarations:
            if declared.chosen_by_recipe and declared.name not in doubtful:
                values[declared.name], sources[declared.name] = declared.default, CHOSEN
    return Resolved(values, sources, tuple(problems))


def _by_name(
    declarations: Sequence[Declaration], written: Mapping[str, Any]
) -> tuple[dict[str, dict[str, Any]], list[Problem]]:
    """Group the given values by declared name, {name: {spelling: value}}, and report unknown names."""
    names = {alias: declared.name for declared in declarations for alias in (declared.name, *declared.aliases)}
    found: dict[str, dict[str, Any]] = {}
    unknown = []
    for spelling, value in written.items():
        plain = spelling.strip().replace("-", "_")
        if plain in names:
            found.setdefault(names[plain], {})[spelling] = value
        elif plain not in _IGNORED and not plain.startswith("sagemaker_"):
            name = shown(unmistakable(spelling))
            unknown.append(Problem(name, f"Unknown hyperparameter {name}. {unknown_names.hint(plain, names)}"))
    return found, unknown


def _one_value(declared: Declaration, spellings: Mapping[str, Any], source: str) -> Value:
    values: dict[str, Value] = {}
    for spelling, written in spellings.items():
        where = spelling if source == GIVEN else f"{spelling} ({source})"
        try:
            values[spelling] = decode(declared, written)
        except ValueError as reason:
            because = f", {reason}" if str(reason) else ""
            # No allowed value has letters outside ASCII, and some look like those within: с and c.
            what = shown(code_points(repr(written)))
            raise ValueError(f"{where} is {what}{because}; allowed: {declared.allowed}.") from None
    if len(set(values.values())) > 1:
        both = ", ".join(f"{spelling} = {value}" for spelling, value in values.items())
        raise ValueError(f"{declared.name} has two values: {both}; give one of them.")
    return next(iter(values.values()))


def _message(problems: Sequence[Problem]) -> str:
    if len(problems) == 1:
        return f"A hyperparameter is invalid: {problems[0].text}"
    # Names first, so that they survive when the platform truncates the message.
    names = ", ".join(problem.name for problem in problems)
    lines = "".join(f"\n- {problem.text}" for problem in problems)
    return f"{len(problems)} hyperparameters are invalid: {names}.{lines}"
