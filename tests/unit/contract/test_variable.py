"""What the environment variables of serving allow."""

import logging

import pytest

from image_classifier.contract import serving_variables, variable
from image_classifier.contract.variable import Variable

NUMBER = variable.whole_number("A_NUMBER", 5, 0, 70, "Some number.")
SWITCH = variable.truth("A_SWITCH", False, "Some switch.")
WORD = variable.word("A_WORD", ("First", "second"), "Some word.")
LEVEL = variable.log_level("A_LEVEL", logging.INFO, "Some level.")


@pytest.mark.parametrize(
    ("declared", "text", "value"),
    [
        (NUMBER, "0", 0),
        (NUMBER, "070", 70),
        (SWITCH, "TRUE", True),
        (SWITCH, "0", False),
        (WORD, "FIRST", "First"),
        (LEVEL, "warning", logging.WARNING),
        (LEVEL, "15", 15),
    ],
)
def test_allowed_text_becomes_a_value(declared: Variable[object], text: str, value: object) -> None:
    """Given an allowed text in any of its spellings -> its value."""
    assert declared.parse(text) == value


@pytest.mark.parametrize(
    ("declared", "text"),
    [
        *((NUMBER, text) for text in ("71", "-1", "+1", "1_0", "1.0", "٣", "1 0", "9" * 5000)),
        *((SWITCH, text) for text in ("yes", "2")),
        *((WORD, text) for text in ("third", "fir")),
        *((LEVEL, text) for text in ("loud", "1e1", "9" * 5000)),
    ],
)
def test_other_text_is_rejected(declared: Variable[object], text: str) -> None:
    """Given a text that is not allowed, though Python might take it for one -> ValueError without words of its own."""
    with pytest.raises(ValueError, match=r"^$"):
        declared.parse(text)


def test_every_variable_of_the_module_is_listed_once() -> None:
    """Given the declarations -> names are unique, and each default reads as itself."""
    names = [item.name for item in serving_variables.VARIABLES]
    assert len(set(names)) == len(names) > 15
    for item in serving_variables.VARIABLES:
        assert item.parse(str(item.default)) == item.default
