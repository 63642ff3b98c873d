"""The connections that are open: which of them the main loop looks at, and how they are closed without waiting."""

import socket
from collections.abc import Callable
from functools import partial
from selectors import EVENT_READ, BaseSelector
from typing import Any

from image_classifier.serving.connections.connection import Connection, Stage
from image_classifier.serving.connections.limits import BLOCK_BYTES, CLOSING_BYTES, CLOSING_SECONDS


class OpenConnections:
    """Open connections; `arrived` is called with one that has something to read."""

    def __init__(self, poller: BaseSelector, arrived: Callable[[Connection], None]):
        self._poller, self._arrived = poller, arrived
        self._open: set[Connection] = set()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Connection) -> None:
        """Take a new one."""
        connection.sock.setblocking(False)
        self._open.add(connection)

    def arriving(self) -> list[Connection]:
        """Return those whose next request is awaited or arrives."""
        return [connection for connection in self._open if connection.stage is Stage.ARRIVING]

    def late(self, now: float) -> list[Connection]:
        """Close those whose clients have their answer and do not hang up; return the others whose time is over."""
        found = [connection for connection in self._open if connection.deadline <= now]
        for connection in found:
            if connection.stage is Stage.CLOSING:
                self.close(connection)
        return [connection for connection in found if connection.stage is not Stage.CLOSING]

    def watch(self, connection: Connection) -> None:
        """Look at it from now on."""
        if not connection.watched:
            connection.watched = True
            self._poller.register(connection.sock, EVENT_READ, partial(self._readable, connection))

    def unwatch(self, connection: Connection) -> None:
        """Look at it no more, so that what its client sends stays with the system."""
        if connection.watched:
            connection.watched = False
            self._poller.unregister(connection.sock)

    def receive(self, connection: Connection) -> bytes | None:
        """Return what has come, b"" when its client has closed it; None, and watch it, when nothing has come."""
        try:
            return connection.sock.recv(BLOCK_BYTES)
        except BlockingIOError:
            self.watch(connection)
            return None
        except OSError:
            return b""

    def part(self, connection: Connection) -> None:
        """Close our end, and all of it once the client has seen that, without holding anybody up."""
        connection.stage = Stage.CLOSING
        connection.wait(CLOSING_SECONDS)
        connection.incoming.discard()
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.close(connection)
        else:
            self.watch(connection)

    def close(self, connection: Connection) -> None:
        """Close it at once."""
        connection.stage = Stage.CLOSING
        try:
            self.unwatch(connection)
        finally:
            self._open.discard(connection)
            connection.sock.close()

    def dispensable(self, most: int, since: float) -> list[Connection]:
        """Return up to `most` that can be closed for others, those with the least time left first.

        Idle ones, or, where there are none, those whose request began to arrive at a time or before.
        """
        arriving = sorted(self.arriving(), key=lambda connection: connection.deadline)
        idle = [connection for connection in arriving if connection.idle]
        return (idle or [connection for connection in arriving if connection.since <= since])[:most]

    def _readable(self, connection: Connection, _: Any) -> None:
        # An earlier event of the same round may have closed it or answered it.
        if connection not in self._open or not connection.watched:
            return
        if connection.stage is Stage.CLOSING:
            self._drop(connection)
        else:
            self._arrived(connection)

    def _drop(self, connection: Connection) -> None:
        data = self.receive(connection)
        if data is None:
            return
        connection.dropped += len(data)
        if not data or connection.dropped > CLOSING_BYTES:
            self.close(connection)
