"""A client's connection: how far its next request has come, and whether whoever sent it is still there."""

import enum
import select
import socket
import threading
import time
from typing import Any

from image_classifier.serving.connections.request_reader import RequestReader

_served = threading.local()


class Stage(enum.Enum):
    """What a connection is waiting for."""

    ARRIVING = enum.auto()
    """A request, or the rest of it."""
    REFUSED = enum.auto()
    """The rest of a request that was rejected."""
    HELD_BACK = enum.auto()
    """A free slot: its client was rejected and has asked again before it was told to."""
    QUEUED = enum.auto()
    """A thread: its request needs no slot, and all threads for such requests are in use."""
    SERVED = enum.auto()
    """The answer to its request."""
    CLOSING = enum.auto()
    """The client's end of the connection; ours is closed."""


class Connection:
    """A connection and its next request."""

    def __init__(self, sock: socket.socket, client: Any, server: Any, incoming: RequestReader):
        self.sock, self.client, self.server, self.incoming = sock, client, server, incoming
        self.stage = Stage.ARRIVING
        self.watched = False
        """Whether the main loop looks at it when bytes arrive."""
        self.idle = True
        """Whether nothing of the next request has come."""
        self.in_body = False
        """Whether its header has come and was looked at."""
        self.needs_slot = False
        """Whether its request needs one of the places, or has one; the thread that answers it sets it to False."""
        self.pause = 0
        """Seconds after which it was told to come again."""
        self.was_held_back = False
        """Whether its request has been held back once, which is enough."""
        self.counted = 0
        """Bytes of the body that the budget knows of."""
        self.dropped = 0
        """Bytes that were read since it is closing."""
        self.since, self.deadline = time.monotonic(), float("inf")
        """Since when, and until when, it waits for its client, by the monotonic clock."""

    def wait(self, seconds: float) -> None:
        """Give its client so much time from now on."""
        self.since = time.monotonic()
        self.deadline = self.since + seconds

    def send(self, data: bytes) -> bool:
        """Send a short answer without waiting; says whether all of it was taken."""
        try:
            return self.sock.send(data) == len(data)
        except OSError:
            return False


def serve(served: Connection | None) -> None:
    """Remember the connection that this thread works for; None when it is done."""
    _served.connection = served


def give_place_back() -> None:
    """Let the main loop know that the request of this thread needs its place no more."""
    served: Connection | None = getattr(_served, "connection", None)
    if served is not None:
        served.needs_slot = False


def client_is_gone() -> bool:
    """Say whether the client of this thread has closed its connection; False where there is none."""
    served: Connection | None = getattr(_served, "connection", None)
    if served is None:
        return False
    # Python waits for a socket that has a timeout, whatever the flags say: so first whether there is anything.
    ready = select.poll()
    try:
        ready.register(served.sock, select.POLLIN)
        return bool(ready.poll(0)) and not served.sock.recv(1, socket.MSG_PEEK)
    except OSError:
        return True
