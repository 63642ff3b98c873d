"""Rejected clients that keep their connection, in the order in which they get the next free slots."""

import math

from image_classifier.serving.connections.connection import Connection, Stage


class RetryQueue:
    """Clients in the order of their first rejection; each keeps its position until its Retry-After expires.

    A client that retries too early neither loses its position nor gains one.
    """

    def __init__(self) -> None:
        self._until: dict[Connection, float] = {}

    def __len__(self) -> int:
        return len(self._until)

    def join(self, connection: Connection, until: float, now: float) -> None:
        """Add a client at the end until a time of the monotonic clock; one with time left keeps its position."""
        if self.until(connection) <= now:
            self.leave(connection)
        self._until.setdefault(connection, until)

    def leave(self, connection: Connection) -> None:
        """Remove a client if it is queued."""
        self._until.pop(connection, None)

    def until(self, connection: Connection) -> float:
        """Return until when a client is queued, by the monotonic clock; 0 if it is not."""
        return self._until.get(connection, 0.0)

    def seconds_left(self, connection: Connection, now: float) -> int:
        """Return the remaining time in whole seconds, rounded up; 0 if none is left or the client is not queued."""
        return max(math.ceil(self.until(connection) - now), 0)

    def first_backing_off(self) -> Connection | None:
        """Return the first client that has retried; clients that only keep their connection do not use up slots."""
        return next((connection for connection in self._until if connection.stage is Stage.BACKING_OFF), None)

    def expire(self, now: float) -> None:
        """Remove clients whose time is over or whose connection is closed."""
        self._until = {
            connection: until
            for connection, until in self._until.items()
            if (until > now or connection.stage is Stage.BACKING_OFF) and connection.stage is not Stage.CLOSING
        }
