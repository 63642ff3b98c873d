"""Images in, answers out in a browser: one implementation for the web UI of the server and for the console.

The templates `try_page/main.html.j2`, `about.html.j2` and `calls.html.j2` are parts of a page, for Jinja2; they read a
`TryPage` from the variable `try_page`. `static/` holds their style and scripts, of which the page loads `try.css` and
`main.js`. No page has inline scripts or styles, and scripts never turn text into markup.
"""

from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent
TEMPLATES = _HERE / "templates"
STATIC = _HERE / "static"


@dataclass(frozen=True, kw_only=True)
class TryPage:
    """The addresses that the scripts ask, relative to the page. What a server does not have is None."""

    facts: str
    """The model card as JSON; 503 while the model is being loaded."""
    invocations: str
    """Answers images as `POST /invocations` does."""
    neighbours: str | None = None
    """Answers an image with the most similar training images."""
    corrections: str | None = None
    """Records the right class of an image."""
    start: str | None = None
    """Starts a server for the model, if none is running."""
    server: str | None = None
    """The address in the example calls, with a slash at the end; None: the page's own."""


def static_files() -> dict[str, bytes]:
    """Return the contents of style and scripts by file name."""
    return {path.name: path.read_bytes() for path in sorted(STATIC.iterdir())}
