"""A console in a temporary folder, and a browser-like client of it, without a server."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import CodeType, MappingProxyType

from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache

from image_classifier.console import context, roots
from image_classifier.console.app import create_app
from image_classifier.console.context import Console
from image_classifier.console.security import Access
from image_classifier.runners.job import Runner

HOST = "localhost"
ACCESS = Access("the-token", "the-session")
ORIGIN = {"Origin": f"http://{HOST}"}
"""What a browser sends with a form of the console's own page."""


class CompiledTemplates(BytecodeCache):
    """Compiled templates of one console, for the next: hundreds of tests have a console of their own."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take over what was compiled from the same text."""
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what has just been compiled."""
        assert bucket.code is not None
        self._codes[bucket.key, bucket.checksum] = bucket.code


_COMPILED = CompiledTemplates()


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
    app.jinja_env.bytecode_cache = _COMPILED
    client = app.test_client()
    client.environ_base |= {"HTTP_ORIGIN": ORIGIN["Origin"]}
    if admitted:
        client.set_cookie(ACCESS.cookie, ACCESS.session, domain=HOST)
    return client
