"""Values and their sources, and one message for every problem."""

import json
from typing import Any

import pytest

from image_classifier.contract.hyperparameters import DECLARATIONS, Hyperparameters, parse
from tests.unit.contract.rejected import problems

GUIDE = {
    "augmentation": False,
    "augmentation_random_flip": "horizontal_and_vertical",
    "augmentation_random_rotation": 0.2,
    "augmentation_random_zoom": 0.1,
    "batch_size": 32,
    "beta_1": 0.9,
    "beta_2": 0.999,
    "binary_mode": False,
    "dropout_rate": 0.2,
    "early_stopping": False,
    "early_stopping_min_delta": 0.0,
    "early_stopping_patience": 5,
    "epochs": 3,
    "epsilon": 1e-7,
    "eval_metric": "accuracy",
    "image_resize_interpolation": "bilinear",
    "initial_accumulator_value": 0.0001,
    "label_smoothing": 0.1,
    "learning_rate": 0.001,
    "momentum": 0.9,
    "optimizer": "adam",
    "regularizers_l2": 0.0001,
    "reinitialize_top_layer": "Auto",
    "rho": 0.95,
    "train_only_top_layer": False,
    "validation_split_ratio": 0.2,
    "random_seed": 123,
}
OURS = {
    "backbone_learning_rate_factor": 1.0,
    "calibration": "off",
    "checkpoint_interval": 10.0,
    "class_weights": "none",
    "deterministic": False,
    "gradient_clip_norm": 0.0,
    "learning_rate_schedule": "constant",
    "max_bad_fraction": 0.1,
    "max_latency_ms": 0.0,
    "max_runtime": 0,
    "mixed_precision": "auto",
    "model_id": "",
    "model_uri": "",
    "quantization": "off",
    "recipe": "builtin",
    "refit": "Auto",
    "report": True,
    "report_thumbnails": True,
    "search_trials": 0,
    "tensorboard": False,
    "trust_model": False,
    "unfreeze_after": 0,
    "warmup_fraction": 0.0,
    "xla": "off",
}

BESIDE = {"search_trials": {"recipe": "search"}, "unfreeze_after": {"epochs": "2000000"}}
"""Values that the largest ones are only allowed beside."""


def test_nothing_given() -> None:
    """An empty file -> the developer guide's defaults and those of our own, each called ours."""
    settings = parse({})
    assert settings.values == Hyperparameters()
    assert vars(settings.values) == GUIDE | OURS
    assert set(settings.sources.values()) == {"our default"}


def test_every_declaration_says_what_it_means() -> None:
    """All declarations -> a meaning that ends as a sentence, a version, and a default that is allowed."""
    for declared in DECLARATIONS:
        assert declared.meaning.endswith(".")
        assert declared.since
        assert declared.choices == () or declared.default in declared.choices


def test_given_beats_the_model_which_beats_ours() -> None:
    """Values from three places -> each with its source; the model's unknown names do not matter."""
    settings = parse({"epochs": "7"}, {"epochs": 9, "batch-size": "16", "colour_of_the_bikeshed": "blue"})
    assert (settings.values.epochs, settings.sources["epochs"]) == (7, "given")
    assert (settings.values.batch_size, settings.sources["batch_size"]) == (16, "the model's default")
    assert settings.sources["momentum"] == "our default"


def test_log_lines_name_the_source() -> None:
    """Settings -> a line for every value with where it comes from, and plain decimals."""
    lines = parse({"epochs": "7"}, {"batch_size": 16}).log_lines()
    assert len(lines) == len(DECLARATIONS)
    for expected in (
        "epochs = 7 (given)",
        "batch_size = 16 (the model's default)",
        "epsilon = 0.0000001 (our default)",
    ):
        assert expected in lines


def test_script_of_the_user_is_not_run() -> None:
    """A script named by the SageMaker SDK, JSON-quoted as it does, raw, or none -> one line says it, or none does."""
    quoted = {"sagemaker_program": '"train.py"', "sagemaker_submit_directory": '"s3://bucket/code.tar.gz"'}
    line = "Not run: train.py from s3://bucket/code.tar.gz. This image trains with its own program."
    assert parse(quoted).log_lines()[-1] == line
    assert parse({name: json.loads(text) for name, text in quoted.items()}).log_lines()[-1] == line
    assert parse({"sagemaker_program": "train.py"}).log_lines()[-1].startswith("Not run: train.py. ")
    assert not [line for line in parse({"sagemaker_region": "eu-west-1"}).log_lines() if "Not run" in line]


def test_five_mistakes_in_one_message() -> None:
    """Five mistakes of five kinds -> one message that names each: what, given, allowed; nothing is cut off at 1,024."""
    given = json.loads(
        '{"epochs": "0", "learning_rate": "\\"fast\\"", "optimizer": "lamb", "bach_size": "8", "eval_metric": "auc"}'
    )
    message = problems(given)
    assert message.startswith(
        "5 hyperparameters are invalid: bach_size, epochs, learning_rate, optimizer, eval_metric."
    )
    for expected in (
        "Unknown hyperparameter bach_size. Did you mean batch_size?",
        "epochs is '0'; allowed: an integer of at least 1.",
        "learning_rate is '\"fast\"'; allowed: a number from 0 to 1.",
        "optimizer is 'lamb'; allowed: one of adam, sgd, nesterov, rmsprop, adagrad, adadelta.",
        "eval_metric is 'auc', which is only measured in binary mode; allowed: accuracy, or binary_mode=True.",
    ):
        assert f"\n- {expected}" in message
    assert len(message) < 1000


def test_a_hundred_mistakes_of_great_length() -> None:
    """Names and values as long as the API allows -> the message repeats their beginnings only."""
    message = problems({f"{number:03d}{'x' * 253}": "y" * 2500 for number in range(99)} | {"epochs": "z" * 2500})
    assert "100 hyperparameters are invalid" in message
    assert max(len(line) for line in message.splitlines()[1:]) < 200


def test_dropping_everything() -> None:
    """dropout_rate 1.0, inside the guide's range -> rejected with the reason."""
    message = problems({"dropout_rate": "1.0"})
    assert "drops every feature" in message
    assert "a number from 0 to 1, but not 1" in message


def test_not_finite() -> None:
    """NaN -> rejected, since it is not a finite number."""
    assert "which is not a finite number" in problems({"learning_rate": "NaN"})


def test_a_negative_rotation() -> None:
    """A negative rotation, which the guide allows -> kept as given; training takes its magnitude."""
    assert parse({"augmentation_random_rotation": "-0.3"}).values.augmentation_random_rotation == -0.3


def test_a_broken_default_of_the_model() -> None:
    """A staged model with an impossible default -> rejected, naming the model; a given value replaces it."""
    assert "batch_size (the model's default) is 'many'" in problems({}, {"batch_size": "many"})
    assert parse({"batch_size": 4}, {"batch_size": "many"}).values.batch_size == 4


@pytest.mark.parametrize(
    "declared", [item for item in DECLARATIONS if item.minimum is not None], ids=lambda it: it.name
)
def test_bounds_are_inclusive(declared: Any) -> None:
    """A value on a bound -> accepted unless it is excluded with a reason; a value beyond -> rejected with the range."""
    for bound, step in ((declared.minimum, -1), (declared.maximum, 1)):
        if bound is None:
            continue
        if bound not in declared.excluded:
            given = {**BESIDE.get(declared.name, {}), declared.name: str(bound)}
            assert getattr(parse(given).values, declared.name) == bound
        assert declared.allowed in problems({declared.name: str(bound + step)})
