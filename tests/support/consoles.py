"""A console in a temporary folder, and a browser-like client of it, without a server."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from flask.testing import FlaskClient

from image_classifier.console import context, roots
from image_classifier.console.app import create_app
from image_classifier.console.context import Console
from image_classifier.console.security import Access
from image_classifier.runners.job import Runner

HOST = "localhost"
ACCESS = Access("the-token", "the-session")
ORIGIN = {"Origin": f"http://{HOST}"}
"""What a browser sends with a form of the console's own page."""


def make_console(
    folder: Path, roots_of: Iterable[Path] = (), runners: Mapping[str, Runner] = MappingProxyType({})
) -> Console:
    """Return a console whose home is `folder/home`, and which may read `folder` and `roots_of`. Nothing is started."""
    home = folder.resolve() / "home"
    return context.open_console(home, roots.allow([folder, *roots_of]), runners)


def client_of(console: Console, admitted: bool = True) -> FlaskClient:
    """Return a client that sends what a browser with the console open sends; without the cookie if not `admitted`.

    `client.post(...)` sends the Origin of the console's own pages unless `headers` says otherwise.
    """
    app = create_app(console, ACCESS)
    app.testing = True
    client = app.test_client()
    client.environ_base |= {"HTTP_ORIGIN": ORIGIN["Origin"]}
    if admitted:
        client.set_cookie(ACCESS.cookie, ACCESS.session, domain=HOST)
    return client
