"""Style that the console, the web UI of the server and the report share: tokens, elements and components.

`tokens.css` holds the values, `base.css` what is made of them, without a rule for one screen alone, `rail.css` the
links on the left of the console and of the report, and `sections.css` the sections of a report, which the console shows
as tabs.
"""

from pathlib import Path

FOLDER = Path(__file__).parent
FILES = ("tokens.css", "base.css", "rail.css", "sections.css", "icon.svg")
"""What may be sent to a browser."""


def text(name: str) -> str:
    """Return one of `FILES`, for a page that includes it."""
    return (FOLDER / name).read_text(encoding="utf-8")
