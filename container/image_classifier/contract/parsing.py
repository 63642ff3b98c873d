"""Parse hyperparameters: names and values in any accepted form to one value each, or one message with every problem."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from image_classifier.contract.declaration import Declaration, Value
from image_classifier.contract.errors import UserError
from image_classifier.contract.value_forms import class_weights, decode

GIVEN = "given"
MODELS_DEFAULT = "the model's default"
OUR_DEFAULT = "our default"
_IGNORED = ("_tuning_objective_metric", "default_user_module_name", "model_dir")
"""Added by the tuner and by the SageMaker SDK's TensorFlow estimator; other parts of the SDK add `sagemaker_*`."""
_SHOWN = 60
"""Characters of a given name or value that a message repeats; the platform keeps 1,024 of the whole message."""


@dataclass(frozen=True)
class _Problem:
    name: str
    text: str


def parse(
    declarations: Sequence[Declaration], given: Mapping[str, Any], model_defaults: Mapping[str, Any]
) -> tuple[dict[str, Value], dict[str, str]]:
    """Return the value and the source of every declared hyperparameter.

    Raises:
        UserError: One message that lists every problem.
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
    """Group the given values by declared name, {name: {spelling: value}}, and report unknown names."""
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
    hint = f"Did you mean {names[near[0]]}?" if near else "See docs/reference/hyperparameters.md for all names."
    return f"Unknown hyperparameter {_shown(spelling)}. {hint}"


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


def _contradictions(values: Mapping[str, Value], doubtful: set[str]) -> list[_Problem]:
    """Check combinations of values that are valid by themselves; rules on an invalid value are skipped."""
    rules = {
        ("eval_metric", "binary_mode"): _metric_of_binary_mode,
        ("class_weights",): _form_of_class_weights,
        ("unfreeze_after", "train_only_top_layer", "epochs"): _never_unfrozen,
    }
    found = ((names[0], rule(values)) for names, rule in rules.items() if doubtful.isdisjoint(names))
    return [_Problem(name, text) for name, text in found if text]


def _metric_of_binary_mode(values: Mapping[str, Value]) -> str | None:
    metric = values["eval_metric"]
    if metric == "accuracy" or values["binary_mode"]:
        return None
    return f"eval_metric is {metric!r}, which is only measured in binary mode; allowed: accuracy, or binary_mode=True."


def _form_of_class_weights(values: Mapping[str, Value]) -> str | None:
    text = str(values["class_weights"])
    try:
        class_weights(text)
    except ValueError as reason:
        allowed = "none, auto, or a JSON object with a positive number per class name"
        return f"class_weights is {_shown(repr(text))}, {_shown(str(reason))}; allowed: {allowed}."
    return None


def _never_unfrozen(values: Mapping[str, Value]) -> str | None:
    after, epochs = values["unfreeze_after"], int(values["epochs"])
    if not after:
        return None
    if values["train_only_top_layer"]:
        return (
            f"unfreeze_after is {after}, but train_only_top_layer=True never trains the backbone; allowed: 0, or "
            "train_only_top_layer=False."
        )
    if int(after) >= epochs:
        return f"unfreeze_after is {after} of {epochs} epochs, so the whole network is never trained; allowed: fewer."
    return None


def _message(problems: Sequence[_Problem]) -> str:
    if len(problems) == 1:
        return f"A hyperparameter is invalid: {problems[0].text}"
    # Names first, so that they survive when the platform truncates the message.
    names = ", ".join(problem.name for problem in problems)
    lines = "".join(f"\n- {problem.text}" for problem in problems)
    return f"{len(problems)} hyperparameters are invalid: {names}.{lines}"


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
