"""Whether the server can listen where its settings say, found before gunicorn starts and tries five times."""

import errno
import time

from image_classifier.contract.errors import PlatformError, UserError, cause
from image_classifier.contract.serving_variables import HOST, PORT
from image_classifier.resources.ports import bind_error

PATIENCE = 5.0
"""Seconds until a port has to be free: a server that was stopped may still be draining its requests."""
_PAUSE = 0.1


def check(host: str, port: int, patience: float = PATIENCE) -> None:
    """Check that a server can listen on a port of an address; a port in use is waited for.

    Raises:
        PlatformError: Another process listens there.
        UserError: It is not an address of this machine, or the port may not be used.
    """
    deadline = time.monotonic() + patience
    while error := bind_error(_plain(host), port):
        in_use = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        if in_use and time.monotonic() < deadline:
            time.sleep(_PAUSE)
            continue
        where = f"The server cannot listen on port {port} of {host}: {cause(error)}."
        if in_use:
            raise PlatformError(f"{where} Stop the other process, or set {PORT.name} to a free port.") from error
        raise UserError(f"{where} Set {HOST.name} to {HOST.allowed}, or {PORT.name} to a port from 1024 on.") from error


def bind(host: str, port: int) -> str:
    """Return what gunicorn binds: an IPv6 address in brackets (RFC 3986, 3.2.2)."""
    plain = _plain(host)
    return f"[{plain}]:{port}" if ":" in plain else f"{plain}:{port}"


def _plain(host: str) -> str:
    return host.removeprefix("[").removesuffix("]")
