"""What stands in the place of a thumbnail that cannot be made: a drawing that says why."""

import textwrap
from xml.sax.saxutils import escape

from image_classifier.console.datasets.thumbnails import SIDE
from image_classifier.contract.names import on_one_line

_COLUMNS, _LINES, _LINE_HEIGHT = 24, 8, 15


def drawing(problem: str) -> str:
    """Return an SVG of `SIDE` by `SIDE` pixels with a sentence in it; the sentence is escaped."""
    lines = textwrap.wrap(on_one_line(problem), _COLUMNS, max_lines=_LINES, placeholder=" …")
    top = (SIDE - _LINE_HEIGHT * (len(lines) - 1)) // 2
    texts = "".join(
        f'<text x="{SIDE // 2}" y="{top + number * _LINE_HEIGHT}">{escape(line)}</text>'
        for number, line in enumerate(lines)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{SIDE}" height="{SIDE}" viewBox="0 0 {SIDE} {SIDE}">'
        f'<rect width="{SIDE}" height="{SIDE}" fill="#4a4f5a"/>'
        f'<g fill="#ffffff" font-family="sans-serif" font-size="11" text-anchor="middle">{texts}</g></svg>'
    )
