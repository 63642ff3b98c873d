"""The HTTP connection that a thread is serving, for the one thing that WSGI cannot say: close it after this answer."""

import threading
from typing import Any

_served = threading.local()


def serve(request: Any) -> None:
    """Remember the server's own request object while this thread works on it; None when it is done."""
    _served.request = request


def close_after_answer() -> None:
    """Announce `Connection: close` and close; for answers that are given before the body was read."""
    request = getattr(_served, "request", None)
    if request is not None:
        request.force_close()
