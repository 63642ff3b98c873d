"""Admit requests of the user's own browser alone: token, Host, Origin, and headers that confine the pages.

The console starts processes and reads folders. Any site that the user visits can send requests to it, and read the
responses once its own name resolves to this machine (DNS rebinding); other users of the machine can connect to its
port. So every request needs a cookie, which only the address with the token brings; its Host must be known; and one
that changes something must come from a page of the console.
"""

import hashlib
import hmac
import ipaddress
import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import Flask, Response, make_response, render_template, request

from image_classifier.console import links
from image_classifier.console.rejection import RejectedError
from image_classifier.contract.hosts import LOOPBACK, WILDCARDS, host_of

TOKEN = "token"
"""Parameter of the address that opens the console."""
_READING = ("GET", "HEAD")
_OPEN = ("pages.file", "static")
"""Endpoints without a cookie: style and icon of the page that asks for the token."""
_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    # Dropped images are shown from the browser's memory.
    "img-src": "'self' blob:",
    "media-src": "'self' blob:",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    # Text cannot become markup, whatever a script does with it, unless static/fragments.js parses a page of ours.
    "require-trusted-types-for": "'script'",
    "trusted-types": "console-fragment",
}
HEADERS = {
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in _POLICY.items()),
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: browsers would send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
"""Of every response that does not set them itself."""


@dataclass(frozen=True)
class Access:
    """What a request must bring."""

    token: str
    """In the opening address; a new one each start."""
    session: str
    """In the cookie of an admitted browser; kept across restarts so that open tabs stay usable."""
    bound: str = "127.0.0.1"
    """The address that the console listens on."""
    hosts: tuple[str, ...] = ()
    """Further host names of the console, such as a proxy's."""

    @property
    def cookie(self) -> str:
        """The cookie's name: browsers send the cookies of 127.0.0.1 to all ports, so each console has its own."""
        return f"console-{hashlib.sha256(self.session.encode()).hexdigest()[:12]}"

    def allows_host(self, authority: str) -> bool:
        """Return whether `host:port` of a request names this console and not a name that was made to resolve to it."""
        host = host_of(authority)
        if host in LOOPBACK or host in self.hosts or (host == self.bound and host not in WILDCARDS):
            return True
        # Listening on all addresses: an address, unlike a name, cannot be made to resolve to this machine.
        return self.bound in WILDCARDS and _is_address(host)

    def allows_origin(self, origin: str, authority: str) -> bool:
        """Return whether a request from a page of `origin` to `authority` comes from a page of this console.

        The port counts too, since a server on another port of this machine is another program. A proxy changes Host.
        """
        page = urlsplit(origin).netloc.lower()
        return page == authority.lower() or host_of(page) in self.hosts


def new_secret() -> str:
    """Return a secret of 256 random bits that fits into an address."""
    return secrets.token_urlsafe(32)


def guard(app: Flask, access: Access) -> None:
    """Check every request of an application before anything else, and add `HEADERS` to its responses."""

    @app.before_request
    def check() -> Response | None:
        authority = request.headers.get("Host", "")
        if not access.allows_host(authority):
            raise _unknown_host(authority)
        if request.method not in _READING:
            _check_origin(access, authority)
        if request.endpoint in _OPEN:
            return None
        if _same(request.cookies.get(access.cookie, ""), access.session):
            return _without_token() if TOKEN in request.args and request.method in _READING else None
        if not _same(request.args.get(TOKEN, ""), access.token):
            raise _no_token(TOKEN in request.args)
        return _admit(access)

    @app.after_request
    def confine(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response


def _check_origin(access: Access, authority: str) -> None:
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site not in (None, "same-origin") or origin is None or not access.allows_origin(origin, authority):
        raise _foreign_site(origin)


def _admit(access: Access) -> Response:
    """Exchange the token for the cookie, and lead to the page without the token.

    By a page and not by a redirect: after a link on another site, such as a notebook's, browsers would not send a
    strict cookie to the target of the redirect.

    The printed address is that of the first page. Its cookie has no path, so browsers take that of the page: below a
    notebook's proxy, whose path the console does not see, the cookie goes to the console alone.
    """
    response = _without_token()
    path = None if request.path == "/" else "/"
    response.set_cookie(access.cookie, access.session, httponly=True, samesite="Strict", path=path)
    return response


def _without_token() -> Response:
    others = {name: values for name, values in request.args.to_dict(flat=False).items() if name != TOKEN}
    page = links.link(request.endpoint or "home", **(request.view_args or {}), **others)
    return make_response(render_template("opening.html.j2", page=page))


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), expected.encode())


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _unknown_host(authority: str) -> RejectedError:
    return RejectedError(
        403,
        "This address is not the console's",
        f"The request names the host {authority[:200]!r}, which the console does not know.",
        "Open the address that scripts/console printed. Behind a proxy, start it with --allow-host NAME.",
    )


def _foreign_site(origin: str | None) -> RejectedError:
    source = f"comes from {origin[:200]}" if origin else "does not say which page it comes from"
    return RejectedError(
        403,
        "Nothing was changed",
        f"The request {source}; only the console's own pages may change something.",
        "Open the console and repeat the step there. Behind a proxy, start it with --allow-host NAME.",
    )


def _no_token(wrong: bool) -> RejectedError:
    reason = (
        "The token in this address belongs to an earlier start of the console."
        if wrong
        else "This browser has not been admitted yet, or its session has ended."
    )
    return RejectedError(
        403,
        "Open the console by its address with the token",
        reason,
        "The address stands in the terminal in which the console was started. Running scripts/console again prints it.",
    )
