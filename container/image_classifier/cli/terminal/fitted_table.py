"""Plain tables that fit a width: columns are left out, the least important first; no cell is cut or wrapped."""

from collections.abc import Sequence
from dataclasses import dataclass

_GAP = "  "


@dataclass(frozen=True)
class Column:
    """A column with its cells, one for each row."""

    title: str
    cells: Sequence[str]
    importance: int = 0
    """Columns with the lowest importance are left out first."""
    is_number: bool = False
    """Align to the right."""

    @property
    def width(self) -> int:
        """Characters of the widest cell, the title included."""
        return max(map(len, (self.title, *self.cells)))


@dataclass(frozen=True)
class FittedTable:
    """The lines of a table, header first, and the titles of the columns that did not fit."""

    lines: Sequence[str]
    left_out: Sequence[str]


def fit(columns: Sequence[Column], width: int | None) -> FittedTable:
    """Return the table of the columns that fit `width` characters; None: all of them. The most important one stays."""
    kept = list(columns)
    while width is not None and len(kept) > 1 and _width(kept) > width:
        kept.remove(min(kept, key=lambda column: column.importance))
    rows = zip(*(_aligned(column) for column in kept), strict=True)
    left_out = [column.title for column in columns if column not in kept]
    return FittedTable([_GAP.join(row).rstrip() for row in rows], left_out)


def _width(columns: Sequence[Column]) -> int:
    return sum(column.width for column in columns) + len(_GAP) * (len(columns) - 1)


def _aligned(column: Column) -> list[str]:
    align = str.rjust if column.is_number else str.ljust
    return [align(cell, column.width) for cell in (column.title, *column.cells)]
