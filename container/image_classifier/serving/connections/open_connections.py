"""The open connections: which of them the main loop polls, and how they are closed without blocking."""

import socket
from collections.abc import Callable
from functools import partial
from selectors import EVENT_READ, BaseSelector
from typing import Any

from image_classifier.serving.connections.connection import Connection, Stage
from image_classifier.serving.connections.limits import BLOCK_BYTES, LINGER_BYTES, LINGER_SECONDS


class OpenConnections:
    """Open connections; `on_readable` is called with each that has data to read."""

    def __init__(self, poller: BaseSelector, on_readable: Callable[[Connection], None]):
        self._poller, self._on_readable = poller, on_readable
        self._open: set[Connection] = set()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Connection) -> None:
        """Add a new connection."""
        connection.sock.setblocking(False)
        self._open.add(connection)

    def arriving(self) -> list[Connection]:
        """Return those whose next request is awaited or incomplete."""
        return [connection for connection in self._open if connection.stage is Stage.ARRIVING]

    def expired(self, now: float) -> list[Connection]:
        """Close lingering connections past their deadline; return the others past theirs."""
        found = [connection for connection in self._open if connection.deadline <= now]
        for connection in found:
            if connection.stage is Stage.CLOSING:
                self.close(connection)
        return [connection for connection in found if connection.stage is not Stage.CLOSING]

    def watch(self, connection: Connection) -> None:
        """Poll the connection from now on."""
        if not connection.watched:
            connection.watched = True
            self._poller.register(connection.sock, EVENT_READ, partial(self._dispatch_readable, connection))

    def unwatch(self, connection: Connection) -> None:
        """Stop polling the connection; what its client sends stays in the kernel's buffer."""
        if connection.watched:
            connection.watched = False
            self._poller.unregister(connection.sock)

    def receive(self, connection: Connection) -> bytes | None:
        """Return the bytes that arrived, b"" at the end of the stream; None, and watch it, if none arrived yet."""
        try:
            return connection.sock.recv(BLOCK_BYTES)
        except BlockingIOError:
            self.watch(connection)
            return None
        except OSError:
            return b""

    def half_close(self, connection: Connection) -> None:
        """Close our half, and the rest once the client has seen it, without blocking (lingering close)."""
        connection.stage = Stage.CLOSING
        connection.set_deadline(LINGER_SECONDS)
        connection.reader.discard()
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.close(connection)
        else:
            self.watch(connection)

    def close(self, connection: Connection) -> None:
        """Close it immediately."""
        connection.stage = Stage.CLOSING
        try:
            self.unwatch(connection)
        finally:
            self._open.discard(connection)
            connection.sock.close()

    def evictable(self, most: int, since: float) -> list[Connection]:
        """Return up to `most` connections that can be closed in favour of new ones, earliest deadline first.

        Idle ones; without any, those whose request started to arrive at `since` or before.
        """
        arriving = sorted(self.arriving(), key=lambda connection: connection.deadline)
        idle = [connection for connection in arriving if connection.idle]
        return (idle or [connection for connection in arriving if connection.since <= since])[:most]

    def _dispatch_readable(self, connection: Connection, _: Any) -> None:
        # An earlier event of the same round may have closed or answered it.
        if connection not in self._open or not connection.watched:
            return
        if connection.stage is Stage.CLOSING:
            self._discard(connection)
        else:
            self._on_readable(connection)

    def _discard(self, connection: Connection) -> None:
        data = self.receive(connection)
        if data is None:
            return
        connection.discarded += len(data)
        if not data or connection.discarded > LINGER_BYTES:
            self.close(connection)
