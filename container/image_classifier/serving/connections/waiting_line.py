"""Rejected clients that keep their connection, in the order in which they get the slots that become free."""

import math

from image_classifier.serving.connections.connection import Connection, Stage


class WaitingLine:
    """Clients in the order of their first rejection; each keeps its position until the Retry-After it got is over.

    A client that asks again too early does not lose its position, and does not gain one either.
    """

    def __init__(self) -> None:
        self._until: dict[Connection, float] = {}

    def __len__(self) -> int:
        return len(self._until)

    def join(self, connection: Connection, until: float, now: float) -> None:
        """Let a client in at the end until a time of the monotonic clock; one with time left keeps its position."""
        if self.until(connection) <= now:
            self.leave(connection)
        self._until.setdefault(connection, until)

    def leave(self, connection: Connection) -> None:
        """Take a client out, if it is in."""
        self._until.pop(connection, None)

    def until(self, connection: Connection) -> float:
        """Return how long a client may stay, by the monotonic clock; 0 when it is not in the line."""
        return self._until.get(connection, 0.0)

    def seconds_left(self, connection: Connection, now: float) -> int:
        """Return the whole seconds that a client has left, 0 when it has none or is not in the line."""
        return max(math.ceil(self.until(connection) - now), 0)

    def first_held_back(self) -> Connection | None:
        """Return the first client that has asked again; those that only keep their connection do not use slots up."""
        return next((connection for connection in self._until if connection.stage is Stage.HELD_BACK), None)

    def lapse(self, now: float) -> None:
        """Take out those whose time is over and those whose connection is closed."""
        self._until = {
            connection: until
            for connection, until in self._until.items()
            if (until > now or connection.stage is Stage.HELD_BACK) and connection.stage is not Stage.CLOSING
        }
