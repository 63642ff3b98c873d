"""What the pages of the reference are written with."""

from collections.abc import Iterable, Sequence


def code(text: str) -> str:
    """Return a text as code."""
    return f"`{text}`"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table, one line per row and one below the header."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
