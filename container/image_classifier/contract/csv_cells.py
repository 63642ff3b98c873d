"""Escape names of files and classes in CSV cells, so that no spreadsheet interprets them as formulas."""

from typing import Any

from image_classifier.contract.names import on_one_line

MARK = "'"
_MARKED = (MARK, "=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""First characters of formulas, also in full width (OWASP, CSV Injection); control characters are always escaped."""


def cell(value: Any) -> Any:
    """Return the content of a cell: numbers unchanged, text with a `MARK` in front if it begins like a formula.

    Text that begins with the mark gets a second one, so that `text_of` restores it. Control characters and bytes that
    are not UTF-8 are escaped.
    """
    if not isinstance(value, str):
        return value
    text = on_one_line(value)
    return f"{MARK}{text}" if text.startswith(_MARKED) else text


def text_of(written: str) -> str:
    """Return the text of a cell written by `cell`, without its mark."""
    return written.removeprefix(MARK)
