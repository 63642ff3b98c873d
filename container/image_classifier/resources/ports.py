"""Whether a server could listen on a port of this machine."""

import socket


def bind_error(host: str, port: int) -> Exception | None:
    """Return why a server cannot listen on a port of an address of this machine; None if it can now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError, UnicodeError) as error:
            return error
    return None
