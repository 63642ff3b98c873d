"""Protect the web UI from cross-site requests and DNS rebinding.

Any site that a person visits can send requests to a server on that person's machine, and read the responses once its
own name resolves to it (DNS rebinding). Requests of programs have neither Sec-Fetch-Site nor Origin.
"""

from collections.abc import Iterable

from flask import Flask, request
from werkzeug.datastructures import Headers

from image_classifier.contract.hosts import LOOPBACK, WILDCARDS, host_of
from image_classifier.contract.serving_variables import ALLOWED_HOSTS
from image_classifier.serving.rejection import RejectedError

_ANY = "*"
_OPEN_PATH = "/ping"
"""Health checks use any host name; the response reveals nothing."""


def guard(app: Flask, bound: str, more: Iterable[str]) -> None:
    """Reject cross-site requests, and Host values other than this machine's, the bound address and `more` (403)."""
    allowed = {*LOOPBACK, *(host for host in (bound.lower(), *more) if host not in WILDCARDS)}

    @app.before_request
    def check() -> None:
        if request.path == _OPEN_PATH:
            return
        authority = request.headers.get("Host", "")
        if authority and _ANY not in allowed and host_of(authority) not in allowed:
            raise foreign_host(authority, allowed)
        if _is_cross_site(request.headers) and not _is_navigation():
            raise foreign_site()


def foreign_host(authority: str, allowed: Iterable[str]) -> RejectedError:
    """Return the rejection of a request whose Host is not allowed."""
    message = (
        f"Host {authority[:200]!r} is not allowed while the web UI is on. Allowed: {', '.join(sorted(allowed))}. "
        f"Add others with {ALLOWED_HOSTS.name}."
    )
    return RejectedError(403, "host_not_allowed", message)


def foreign_site() -> RejectedError:
    """Return the rejection of a cross-site request."""
    message = "Cross-site requests are not allowed while the web UI is on."
    return RejectedError(403, "cross_site", message)


def _is_cross_site(headers: Headers) -> bool:
    # Scripts cannot set this header. Browsers send it only to trustworthy origins: TLS or this machine.
    if site := headers.get("Sec-Fetch-Site"):
        return site.strip().lower() not in ("same-origin", "none")
    origin = headers.get("Origin")
    return origin is not None and origin.partition("://")[2].lower() != headers.get("Host", "").lower()


def _is_navigation() -> bool:
    # A link to the web UI is fine; its policy forbids embedding it in a frame of another site.
    values = (request.headers.get(f"Sec-Fetch-{name}") for name in ("Mode", "Dest"))
    return request.method in ("GET", "HEAD") and request.path == "/" and tuple(values) == ("navigate", "document")
