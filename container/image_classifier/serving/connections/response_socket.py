"""A client's socket with one deadline for the whole response, however many pieces it has."""

import socket
import time
from typing import Any


class ResponseSocket:
    """Send like the wrapped socket; the deadline counts from the first byte.

    A socket's own timeout bounds each call separately: a client that reads a few KB a second would hold its thread for
    hours.
    """

    def __init__(self, sock: socket.socket, seconds: float):
        self._sock, self._seconds = sock, seconds
        self._deadline: float | None = None

    def sendall(self, data: bytes) -> None:
        """Send all of the data.

        Raises:
            TimeoutError: The response exceeded its deadline.
            OSError: The client has disconnected.
        """
        now = time.monotonic()
        if self._deadline is None:
            self._deadline = now + self._seconds
        if now >= self._deadline:
            raise TimeoutError(f"the response was not read within {self._seconds:g} s")
        self._sock.settimeout(self._deadline - now)
        self._sock.sendall(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)
