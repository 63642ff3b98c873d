"""Names of files and classes in cells of CSV files, so that no spreadsheet takes them for formulas."""

from typing import Any

from image_classifier.contract.names import on_one_line

MARK = "'"
_MARKED = (MARK, "=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Beginnings of formulas, also in full width (OWASP, CSV Injection); tabs and line ends are escaped anyway."""


def cell(value: Any) -> Any:
    """Return what a cell holds: numbers as they are, text with a `MARK` in front where it begins like a formula.

    Text that begins with the mark gets another one, so that `text_of` gives it back. Control characters and bytes that
    are not UTF-8 are escaped.
    """
    if not isinstance(value, str):
        return value
    text = on_one_line(value)
    return f"{MARK}{text}" if text.startswith(_MARKED) else text


def text_of(written: str) -> str:
    """Return the text of a cell that `cell` wrote: without its mark."""
    return written.removeprefix(MARK)
