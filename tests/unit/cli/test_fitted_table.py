"""Plain tables that fit a width."""

from image_classifier.cli.terminal import fitted_table
from image_classifier.cli.terminal.fitted_table import Column

COLUMNS = (
    Column("name", ["lite0", "b"], importance=2),
    Column("notes", ["a long note", "-"], importance=0),
    Column("MB", ["1", "1,000"], importance=1, is_number=True),
)


def test_everything_fits_without_a_width() -> None:
    """Given no width -> every column, words to the left and numbers to the right, no blanks at the end."""
    table = fitted_table.fit(COLUMNS, None)
    assert table.lines == ["name   notes           MB", "lite0  a long note      1", "b      -            1,000"]
    assert table.left_out == []


def test_least_important_columns_are_left_out_first() -> None:
    """Given ever less width -> one column less each time, never the most important one."""
    assert fitted_table.fit(COLUMNS, 25).left_out == []
    assert fitted_table.fit(COLUMNS, 24).left_out == ["notes"]
    assert fitted_table.fit(COLUMNS, 11).left_out == ["notes", "MB"]
    assert fitted_table.fit(COLUMNS, 1).lines == ["name", "lite0", "b"]
