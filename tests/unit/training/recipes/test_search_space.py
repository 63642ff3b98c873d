"""What is searched: the hyperparameters with a recommended range that were not given."""

import pytest

from image_classifier.contract import hyperparameters
from image_classifier.contract.errors import UserError
from image_classifier.contract.hyperparameters import DECLARATIONS
from image_classifier.training.recipes import search_space

ALL = {"batch_size", "dropout_rate", "epochs", "label_smoothing", "learning_rate", "optimizer", "regularizers_l2"}


def names(given: dict[str, str], model_defaults: dict[str, str] | None = None) -> set[str]:
    """Return what a job would search."""
    resolved = hyperparameters.parse(given, model_defaults or {})
    return set(search_space.searched(resolved.values, resolved.sources))


def test_given_values_are_not_searched() -> None:
    """Given two values -> they are kept; defaults of the model or the SDK are searched."""
    assert names({}) == ALL
    assert names({"epochs": "30", "optimizer": "rmsprop"}) == ALL - {"epochs", "optimizer"}
    assert names({"epochs": "3", "learning_rate": "0.001"}, {"batch_size": "8"}) == ALL
    assert names({"epochs": "5"}) == ALL


def test_nothing_to_search_is_said() -> None:
    """Given every searched hyperparameter -> one message that names them."""
    given = {"batch_size": "7", "dropout_rate": "0", "epochs": "9", "label_smoothing": "0", "learning_rate": "0.2"}
    with pytest.raises(UserError, match=r"nothing to search: batch_size, .* are all given. Leave out at least one"):
        names({**given, "optimizer": "sgd", "regularizers_l2": "0"})


@pytest.mark.parametrize("name", sorted(ALL))
def test_recommended_ranges_are_within_what_is_allowed(name: str) -> None:
    """Given a hyperparameter -> the parser accepts both ends or all values, and the guide's tuning range has them."""
    [declared] = search_space.declared([name])
    for value in declared.recommended:
        hyperparameters.parse({name: value})
        if declared.tunable:
            assert value in declared.tunable or float(declared.tunable[0]) <= float(value) <= float(declared.tunable[1])


def test_only_positive_ranges_are_logarithmic() -> None:
    """Given every declaration -> a logarithmic range begins above 0."""
    assert [item.name for item in DECLARATIONS if item.logarithmic and float(item.recommended[0]) <= 0] == []


@pytest.mark.parametrize(
    ("name", "drawn", "expected"),
    [
        ("learning_rate", 0.012345678, 0.0123),
        ("regularizers_l2", 1.2345e-5, 1.23e-5),
        ("dropout_rate", 0.49999, 0.5),
        ("batch_size", 137, 137),
        ("optimizer", "sgd", "sgd"),
    ],
)
def test_numbers_have_few_digits(name: str, drawn: object, expected: object) -> None:
    """Given a drawn value -> a number has three significant digits, integers and words are as they were."""
    [declared] = search_space.declared([name])
    assert search_space.rounded(declared, drawn) == expected
