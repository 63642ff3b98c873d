"""Values that are each allowed, and cannot be together or have a form of their own."""

from typing import Any

import pytest

from image_classifier.contract.errors import UserError
from image_classifier.contract.hyperparameters import parse


def problems(given: dict[str, Any], model_defaults: dict[str, Any] | None = None) -> str:
    """Return the message with which the hyperparameters are rejected."""
    with pytest.raises(UserError) as rejected:
        parse(given, model_defaults or {})
    return str(rejected.value)


@pytest.mark.parametrize("metric", ["precision", "recall", "auc", "prc"])
def test_metrics_of_binary_mode(metric: str) -> None:
    """A metric of two classes -> accepted with binary_mode, also the model's, and rejected without."""
    assert parse({"eval_metric": metric, "binary_mode": "true"}).values.eval_metric == metric
    assert parse({"eval_metric": metric}, {"binary_mode": True}).values.eval_metric == metric
    assert "binary_mode=True" in problems({"eval_metric": metric})


def test_a_contradiction_with_an_unreadable_value() -> None:
    """eval_metric depends on a binary_mode that cannot be read -> only the unreadable value is reported."""
    message = problems({"eval_metric": "auc", "binary_mode": "maybe"})
    assert "binary_mode is 'maybe'; allowed: True or False." in message
    assert "eval_metric" not in message


@pytest.mark.parametrize(
    "written", ["none", "AUTO", '"auto"', "{}", '{"cat": 2.5, "dog": 1}', '"{\\"cat\\": 2.5}"', ' {"a b": 1e-3} ']
)
def test_forms_of_class_weights(written: str) -> None:
    """None, auto or positive numbers by class name, raw or as JSON once more -> accepted."""
    assert parse({"class_weights": written}).sources["class_weights"] == "given"


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("balanced", "which is not a JSON object"),
        ("2", "which is not a JSON object"),
        ("[1, 2]", "which is not a JSON object"),
        ("{'cat': 2}", "(names need double quotes)"),
        ('{"cat": 0, "dog": 1, "eel": -1}', "in which the weight of cat, eel is not a positive number"),
        ('{"cat": NaN}', "the weight of cat is not"),
        ('{"cat": Infinity}', "the weight of cat is not"),
        ('{"cat": 1e39}', "the weight of cat is not"),
        ('{"cat": true}', "the weight of cat is not"),
        ('{"cat": "2"}', "the weight of cat is not"),
        ('{"cat": [2]}', "the weight of cat is not"),
        ("[" * 2400, "which is not a JSON object"),
    ],
)
def test_class_weights_of_another_form(written: str, reason: str) -> None:
    """Not a JSON object, or weights that are not positive, finite -> rejected with a reason and the allowed values."""
    message = problems({"class_weights": written})
    assert reason in message
    assert "; allowed: none, auto, or a JSON object with a positive number per class name." in message


def test_a_backbone_that_would_never_be_trained() -> None:
    """A head alone, by the caller or the model, or for all epochs -> rejected; for fewer epochs -> accepted."""
    assert parse({"unfreeze_after": "2"}).values.unfreeze_after == 2
    assert "allowed: 0, or train_only_top_layer=False." in problems({"unfreeze_after": 1, "train_only_top_layer": True})
    assert "train_only_top_layer=True never" in problems({"unfreeze_after": 1}, {"train_only_top_layer": "True"})
    assert "unfreeze_after is 3 of 3 epochs" in problems({"unfreeze_after": 3})
    assert "unfreeze_after is" not in problems({"unfreeze_after": 3, "epochs": "many"})


def test_contradictions_are_named_with_all_other_problems() -> None:
    """A wrong value, wrong class weights and a backbone that is never trained -> one message of three."""
    message = problems({"epochs": 2, "unfreeze_after": 5, "class_weights": "x", "xla": "maybe"})
    assert message.startswith("3 hyperparameters are invalid: xla, class_weights, unfreeze_after.")


def test_recipe_auto_beside_what_it_chooses() -> None:
    """recipe=auto, and values that it chooses -> one problem that lists them; their defaults are accepted."""
    message = problems({"recipe": "auto", "learning_rate": "0.01", "augmentation": "True", "batch_size": "8"})
    assert message.endswith(
        "recipe=auto chooses these itself: augmentation=True, learning_rate=0.01; allowed: leave out, or "
        "recipe=builtin."
    )
    # All that the SDK's retrieve_default passes; JumpStart has 5 epochs.
    assert parse({"recipe": "auto", "learning_rate": "0.001", "epochs": "5"}).values.recipe == "auto"


def test_recipe_search_takes_given_values() -> None:
    """recipe=search with a learning rate -> given; what needs pixels or the backbone -> rejected."""
    assert parse({"recipe": "search", "learning_rate": "0.01"}).sources["learning_rate"] == "given"
    message = problems({"recipe": "search", "augmentation": "True", "unfreeze_after": "1"})
    assert message.count("recipe=search trains heads on features that are computed once") == 2


def test_a_model_decides_nothing_that_a_recipe_chooses() -> None:
    """A recipe, and a model with a learning rate and a head alone -> only the latter counts."""
    settings = parse({"recipe": "auto"}, {"learning_rate": "0.5", "train_only_top_layer": "True"})
    assert (settings.values.learning_rate, settings.sources["learning_rate"]) == (0.001, "chosen by the recipe")
    assert settings.values.train_only_top_layer
    assert not any(line.startswith("learning_rate = ") for line in settings.log_lines())


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"refit": "True"}, "refit is True with recipe=builtin"),
        ({"search_trials": "5", "recipe": "auto"}, "search_trials is 5 with recipe=auto"),
        ({"model_id": "auto"}, "model_id is auto, which recipe=builtin does not know"),
        ({"model_id": "auto", "model_uri": "s3://b/m", "recipe": "auto"}, "model_uri names a model"),
        ({"max_latency_ms": "5", "recipe": "auto"}, "max_latency_ms is 5, which chooses among backbones"),
    ],
)
def test_what_belongs_to_a_recipe_without_it(given: dict[str, str], problem: str) -> None:
    """A value that only another one gives a meaning -> rejected with what would be allowed."""
    message = problems(given)
    assert problem in message
    assert "; allowed: " in message
