"""Which requests of browsers are served where the page is on: those of the page itself, not those of other sites.

Any site that a person visits can send requests to a server on that person's machine, and read the answers once its own
name leads there (DNS rebinding). What machines send has neither Sec-Fetch-Site nor Origin.
"""

from collections.abc import Iterable

from flask import Flask, request
from werkzeug.datastructures import Headers

from image_classifier.contract.serving_variables import ALLOWED_HOSTS
from image_classifier.serving.rejection import RejectedError

_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
_EVERYWHERE = ("", "0.0.0.0", "::")
_ANY = "*"
_OPEN_PATH = "/ping"
"""Asked by what looks after containers, under whatever name; it tells nothing."""


def guard(app: Flask, bound: str, more: Iterable[str]) -> None:
    """Reject requests of other sites, and under other names than this machine's, the bound one and `more` (403)."""
    allowed = {*_THIS_MACHINE, *(host for host in (bound.lower(), *more) if host not in _EVERYWHERE)}

    @app.before_request
    def check() -> None:
        if request.path == _OPEN_PATH:
            return
        given = request.headers.get("Host", "")
        if given and _ANY not in allowed and host_of(given) not in allowed:
            raise foreign_host(given, allowed)
        if _is_of_another_site(request.headers) and not _is_navigation():
            raise foreign_site()


def host_of(authority: str) -> str:
    """Return the host of `host:port`, in small letters, an IPv6 address without its brackets."""
    if authority.startswith("["):
        return authority[1:].partition("]")[0].lower()
    return authority.partition(":")[0].lower()


def foreign_host(given: str, allowed: Iterable[str]) -> RejectedError:
    """Return the rejection of a request under a name that is not allowed."""
    message = (
        f"Host {given[:200]!r} is not allowed where the web UI is on. Allowed: {', '.join(sorted(allowed))}. "
        f"Add others by {ALLOWED_HOSTS.name}."
    )
    return RejectedError(403, "host_not_allowed", message)


def foreign_site() -> RejectedError:
    """Return the rejection of a request that another site makes a browser send."""
    message = "Another site made the browser send this request, which is not allowed while the web UI is on."
    return RejectedError(403, "cross_site", message)


def _is_of_another_site(headers: Headers) -> bool:
    # Scripts cannot set it. Browsers leave it out where neither this machine nor TLS makes a server trustworthy.
    if site := headers.get("Sec-Fetch-Site"):
        return site.strip().lower() not in ("same-origin", "none")
    origin = headers.get("Origin")
    return origin is not None and origin.partition("://")[2].lower() != headers.get("Host", "").lower()


def _is_navigation() -> bool:
    # A link to the page; its policy forbids that another site shows it in a frame.
    found = (request.headers.get(f"Sec-Fetch-{name}") for name in ("Mode", "Dest"))
    return request.method in ("GET", "HEAD") and request.path == "/" and tuple(found) == ("navigate", "document")
