"""A notebook server's proxy around a WSGI application, which it shows below a path."""

from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


class NotebookProxy:
    """Passes requests below `prefix` on without it; all others, which the notebook itself would get, are noted."""

    def __init__(self, app: WSGIApplication, prefix: str) -> None:
        self._app, self._prefix = app, prefix
        self.outside: list[str] = []
        """Paths of requests that left the application."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        path: str = environ["PATH_INFO"]
        if not path.startswith(f"{self._prefix}/"):
            self.outside.append(path)
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"the notebook has no such page"]
        inside = path.removeprefix(self._prefix)
        # Servers note the whole target here too, and Flask may make links of it.
        target: dict[str, Any] = {"PATH_INFO": inside, "SCRIPT_NAME": "", "REQUEST_URI": inside, "RAW_URI": inside}
        return self._app({**environ, **target}, start_response)
