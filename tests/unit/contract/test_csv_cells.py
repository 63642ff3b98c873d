"""Cells of CSV files: names that no spreadsheet runs, and numbers that stay numbers."""

import pytest

from image_classifier.contract.csv_cells import cell, text_of


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-2", "@sum", "'s", "''", "\uff1d1", "a=b", "cat", "", "1.jpg"])
def test_text_is_read_back_and_never_begins_like_a_formula(text: str) -> None:
    """A name, a formula among them -> a cell that begins like none, and one apostrophe less is the name."""
    written = cell(text)
    assert not written.startswith(("=", "+", "-", "@", "\uff1d"))
    assert text_of(written) == text


@pytest.mark.parametrize("value", [-0.5, 3, 0.0, None])
def test_numbers_are_as_they_are(value: float | None) -> None:
    """A number, a negative one among them -> itself."""
    assert cell(value) is value


@pytest.mark.parametrize("text", ["\t=1", "\r=1", "\n=1", "\udce9"])
def test_what_a_line_cannot_hold_is_escaped(text: str) -> None:
    """A tab, a line end, a byte that is not UTF-8 -> a backslash and its number."""
    assert cell(text).startswith("\\x")
