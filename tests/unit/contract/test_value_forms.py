"""Every form in which a value is written, and the one in which we write it."""

import pytest

from image_classifier.contract.declaration import Declaration
from image_classifier.contract.hyperparameters import DECLARATIONS
from image_classifier.contract.value_forms import class_weights, decode, encode, plain_text

BY_NAME = {declared.name: declared for declared in DECLARATIONS}

ACCEPTED = [
    ("binary_mode", "True", True),
    ("binary_mode", "true", True),
    ("binary_mode", "TRUE", True),
    ("binary_mode", '"True"', True),
    ("binary_mode", '"false"', False),
    ("binary_mode", " False ", False),
    ("binary_mode", True, True),
    ("epochs", "32", 32),
    ("epochs", 32, 32),
    ("epochs", '"32"', 32),
    ("epochs", "32.0", 32),
    ("epochs", 32.0, 32),
    ("epochs", "3.2e1", 32),
    ("epochs", "007", 7),
    ("random_seed", "4294967295", 2**32 - 1),
    ("epsilon", "1e-07", 1e-7),
    ("epsilon", "1E-7", 1e-7),
    ("epsilon", 1e-7, 1e-7),
    ("epsilon", '"\\"1e-07\\""', 1e-7),
    ("learning_rate", "0.001", 0.001),
    ("learning_rate", '"0.001"', 0.001),
    ("learning_rate", ".5", 0.5),
    ("learning_rate", 1, 1.0),
    ("learning_rate", "0", 0.0),
    ("optimizer", "adam", "adam"),
    ("optimizer", '"adam"', "adam"),
    ("optimizer", "Adam", "adam"),
    ("reinitialize_top_layer", "auto", "Auto"),
    ("reinitialize_top_layer", "true", "True"),
    ("reinitialize_top_layer", False, "False"),
    ("augmentation_random_flip", "None", "None"),
    ("augmentation_random_flip", "null", "None"),
    ("augmentation_random_flip", None, "None"),
    ("augmentation_random_rotation", "-0.25", -0.25),
    ("model_id", '"lite0"', "lite0"),
    ("model_id", "1.0", "1.0"),
    ("model_id", "true", "true"),
    ("model_id", "", ""),
]

REJECTED = [
    ("binary_mode", "yes"),
    ("binary_mode", "1"),
    ("binary_mode", 1),
    ("epochs", "32.5"),
    ("epochs", "0"),
    ("epochs", True),
    ("epochs", ""),
    ("epochs", "1_000"),
    ("epochs", "٣"),
    ("epochs", "[3]"),
    ("epochs", None),
    ("epochs", "1e400"),
    ("epochs", "9" * 5000 + "x"),
    ("random_seed", "4294967296"),
    ("learning_rate", "1.0001"),
    ("learning_rate", "-0.1"),
    ("learning_rate", "0,1"),
    ("learning_rate", "nan"),
    ("learning_rate", "NaN"),
    ("learning_rate", "Infinity"),
    ("learning_rate", float("nan")),
    ("learning_rate", float("inf")),
    ("learning_rate", "true"),
    ("learning_rate", 10**400),
    ("learning_rate", "[" * 2400),
    ("augmentation_random_rotation", "1.5"),
    ("augmentation_random_flip", "diagonal"),
    ("optimizer", "lamb"),
    ("dropout_rate", "1.0"),
    ("dropout_rate", 1),
    ("model_id", True),
    ("model_id", {"name": "lite0"}),
]


@pytest.mark.parametrize(("name", "written", "value"), ACCEPTED)
def test_every_accepted_form(name: str, written: object, value: object) -> None:
    """A value in any form that a caller of SageMaker writes -> the value, in the declared type."""
    decoded = decode(BY_NAME[name], written)
    assert decoded == value
    assert type(decoded) is BY_NAME[name].kind


@pytest.mark.parametrize(("name", "written"), REJECTED)
def test_every_rejected_form(name: str, written: object) -> None:
    """A value of another type, out of range or not finite -> rejected, whatever its form."""
    with pytest.raises(ValueError, match=r"^$|which"):
        decode(BY_NAME[name], written)


@pytest.mark.parametrize("declared", DECLARATIONS, ids=lambda declared: declared.name)
def test_defaults_and_bounds_survive_a_round_trip(declared: Declaration) -> None:
    """A default, a bound or a choice is encoded -> decoding gives the same value, and no exponent was written."""
    values = [declared.default, *declared.choices, *(declared.tunable if declared.kind is not bool else ())]
    bounds = [declared.kind(bound) for bound in (declared.minimum, declared.maximum) if bound is not None]
    for value in [*values, *(bound for bound in bounds if bound not in declared.excluded)]:
        written = encode(value)
        assert decode(declared, written) == value
        assert not isinstance(value, float) or "e" not in written


@pytest.mark.parametrize("written", [None, "", " ", "none", "None", "NONE", "null", '"None"', '"null"', '"\\"none\\""'])
@pytest.mark.parametrize(("name", "default"), [("model_id", ""), ("model_uri", ""), ("class_weights", "none")])
def test_none_in_any_spelling_means_not_given(name: str, default: str, written: object) -> None:
    """A text left out in the way of Python, JSON or the SDK's encoding -> the default, which is nothing."""
    assert decode(BY_NAME[name], written) == default


@pytest.mark.parametrize("written", ["nonesuch", "null-island", "0", "n/a"])
def test_names_that_only_look_like_none_are_kept(written: str) -> None:
    """A text that begins like "none" -> itself."""
    assert decode(BY_NAME["model_id"], written) == written


def test_script_that_is_left_out_is_empty() -> None:
    """What the SDK sends for an entry point of None -> no text, so the log does not name a script "null"."""
    assert [plain_text(text) for text in ("null", "None", None, '"train.py"')] == ["", "", "", "train.py"]


def test_tiny_numbers_are_written_without_an_exponent() -> None:
    """A float that Python prints as 1e-07 -> plain decimals."""
    assert encode(1e-7) == "0.0000001"


@pytest.mark.parametrize(
    ("name", "written", "reason"),
    [
        ("epochs", "1e308", "which is more than 2147483647"),
        ("max_runtime", 2**31, "which is more than 2147483647"),
        ("gradient_clip_norm", "1e300", r"which is more than 1e\+38"),
        ("learning_rate", "0,001", "which has a comma; write a point"),
        ("batch_size", "1,024", "which has a comma; write a point"),
    ],
)
def test_number_that_cannot_be_meant_says_why(name: str, written: object, reason: str) -> None:
    """A number without a declared maximum that no device computes with, a decimal comma -> rejected with the reason."""
    with pytest.raises(ValueError, match=reason):
        decode(BY_NAME[name], written)


@pytest.mark.parametrize("text", ['{"cat": 1, "cat": 2}', '{"caf\u00e9": 1, "cafe\u0301": 2}'])
def test_class_with_two_weights_is_rejected(text: str) -> None:
    """A class twice with different weights, also in two Unicode forms -> rejected by name, not the last one taken."""
    with pytest.raises(ValueError, match=r"in which 'ca.*' is given twice with different values"):
        class_weights(text)


def test_weight_that_is_repeated_is_accepted() -> None:
    """A class twice with one weight -> that weight, under the composed form of its name."""
    assert class_weights('{"cafe\u0301": 2, "caf\u00e9": 2.0}') == {"caf\u00e9": 2.0}
