"""Contradictions between hyperparameters that are each valid by themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from image_classifier.contract.declaration import Declaration, Value
from image_classifier.contract.value_forms import class_weights, encode

RECIPE, BUILTIN, AUTO, SEARCH = "recipe", "builtin", "auto", "search"
"""The hyperparameter and its values."""
MODEL_ID_AUTO = "auto"
"""The value of model_id that leaves the choice among the staged backbones to the recipe."""
_ONCE = "trains heads on features that are computed once"
_SHOWN = 60
"""Characters of a given name or value that a message repeats; the platform keeps 1,024 of the whole message."""


@dataclass(frozen=True)
class Problem:
    """A hyperparameter and what is wrong with it, as a sentence."""

    name: str
    text: str


def find(
    declarations: Sequence[Declaration],
    values: Mapping[str, Value],
    given: Mapping[str, Value],
    doubtful: set[str],
) -> list[Problem]:
    """Return the contradictions between the values of a job; rules on an invalid value are skipped.

    `given` are the values that the user gave, `doubtful` the names of invalid ones.
    """
    rules = {
        ("eval_metric", "binary_mode"): _metric_of_binary_mode,
        ("class_weights",): _form_of_class_weights,
        ("unfreeze_after", "train_only_top_layer", "epochs"): _never_unfrozen,
        ("refit", RECIPE): _refit_without_recipe,
        ("search_trials", RECIPE): _trials_without_search,
        ("augmentation", RECIPE): _augmentation_of_searched_heads,
        ("unfreeze_after", RECIPE): _backbone_of_searched_heads,
        ("model_id", "model_uri", RECIPE): _model_id_auto,
        ("max_latency_ms", "model_id"): _latency_of_a_named_model,
    }
    found = ((names[0], rule(values)) for names, rule in rules.items() if doubtful.isdisjoint(names))
    problems = [Problem(name, text) for name, text in found if text]
    if RECIPE not in doubtful and values[RECIPE] == AUTO:
        problems += _chosen_by_recipe(declarations, given, doubtful)
    return problems


def set_by_user(declarations: Sequence[Declaration], given: Mapping[str, Value]) -> list[str]:
    """Return `name=value` of each given value that recipe=auto would choose itself.

    A value that equals its default, ours or JumpStart's, counts as not given: the SDK's
    `hyperparameters.retrieve_default` passes all of them.
    """
    return [
        f"{declared.name}={encode(given[declared.name])}"
        for declared in declarations
        if declared.chosen_by_recipe
        and declared.name in given
        and given[declared.name] not in (declared.default, declared.builtin_default)
    ]


def _chosen_by_recipe(
    declarations: Sequence[Declaration], given: Mapping[str, Value], doubtful: set[str]
) -> list[Problem]:
    certain = {name: value for name, value in given.items() if name not in doubtful}
    clashing = set_by_user(declarations, certain)
    if not clashing:
        return []
    text = (
        f"recipe={AUTO} chooses {'this itself' if len(clashing) == 1 else 'these itself'}: "
        f"{shown(', '.join(clashing), 300)}; allowed: leave out, or recipe=builtin."
    )
    return [Problem(RECIPE, text)]


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
        return f"class_weights is {shown(repr(text))}, {shown(str(reason))}; allowed: {allowed}."
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


def _refit_without_recipe(values: Mapping[str, Value]) -> str | None:
    if values["refit"] != "True" or values[RECIPE] == AUTO:
        return None
    return f"refit is True with recipe={values[RECIPE]}, which does not refit; allowed: Auto, False, or recipe=auto."


def _trials_without_search(values: Mapping[str, Value]) -> str | None:
    trials = values["search_trials"]
    if not trials or values[RECIPE] == SEARCH:
        return None
    return f"search_trials is {trials} with recipe={values[RECIPE]}; allowed: 0, or recipe=search."


def _augmentation_of_searched_heads(values: Mapping[str, Value]) -> str | None:
    if not values["augmentation"] or values[RECIPE] != SEARCH:
        return None
    return f"augmentation is True, but recipe=search {_ONCE}; allowed: False, or recipe=builtin."


def _backbone_of_searched_heads(values: Mapping[str, Value]) -> str | None:
    after = values["unfreeze_after"]
    if not after or values[RECIPE] != SEARCH:
        return None
    return f"unfreeze_after is {after}, but recipe=search {_ONCE}; allowed: 0, or recipe=builtin."


def _model_id_auto(values: Mapping[str, Value]) -> str | None:
    if values["model_id"] != MODEL_ID_AUTO:
        return None
    if values["model_uri"]:
        return "model_id is auto, and model_uri names a model; allowed: one of them."
    if values[RECIPE] == BUILTIN:
        return "model_id is auto, which recipe=builtin does not know; allowed: the id of a model, or recipe=auto."
    return None


def _latency_of_a_named_model(values: Mapping[str, Value]) -> str | None:
    limit = values["max_latency_ms"]
    if not limit or values["model_id"] == MODEL_ID_AUTO:
        return None
    return f"max_latency_ms is {limit:g}, which chooses among backbones; allowed: 0, or model_id=auto."


def shown(text: str, characters: int = _SHOWN) -> str:
    """Return a text for a message, shortened to a number of characters."""
    return text if len(text) <= characters else f"{text[: characters - 1]}…"
