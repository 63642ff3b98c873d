"""A client's connection: the state of its next request, and whether the client is still connected."""

import enum
import select
import socket
import threading
import time
from typing import Any

from image_classifier.serving.connections.request_reader import RequestReader

_current = threading.local()


class Stage(enum.Enum):
    """What a connection is waiting for."""

    ARRIVING = enum.auto()
    """A request, or the rest of one."""
    REJECTED = enum.auto()
    """The rest of a rejected request."""
    BACKING_OFF = enum.auto()
    """A free slot: the client was rejected and retried before its Retry-After expired."""
    QUEUED = enum.auto()
    """A thread: the request needs no slot, and all threads for such requests are in use."""
    HANDLED_BY_THREAD = enum.auto()
    """The response; the main loop itself writes the one to /ping."""
    CLOSING = enum.auto()
    """The client's half of the connection; ours is closed."""


class Connection:
    """A connection and its next request."""

    def __init__(self, sock: socket.socket, client: Any, server: Any, reader: RequestReader):
        self.sock, self.client, self.server, self.reader = sock, client, server, reader
        self.stage = Stage.ARRIVING
        self.watched = False
        """Whether it is registered with the main loop's poller."""
        self.idle = True
        """Whether no byte of the next request has arrived."""
        self.in_body = False
        """Whether the header is complete and was checked."""
        self.needs_slot = False
        """Whether the request needs a slot or holds one; its thread sets it to False."""
        self.retry_after = 0
        """Seconds of the last Retry-After."""
        self.was_deferred = False
        """Whether the request was deferred before; no request is deferred twice."""
        self.accounted_bytes = 0
        """Bytes of the body that the memory budget includes."""
        self.discarded = 0
        """Bytes read since it is closing."""
        self.since, self.deadline = time.monotonic(), float("inf")
        """Start and end of the wait for the client, by the monotonic clock."""

    def set_deadline(self, seconds: float) -> None:
        """Give the client `seconds` from now."""
        self.since = time.monotonic()
        self.deadline = self.since + seconds

    def send(self, data: bytes) -> bool:
        """Send a short response without blocking; return whether all of it was sent."""
        try:
            return self.sock.send(data) == len(data)
        except OSError:
            return False


def bind_to_thread(connection: Connection | None) -> None:
    """Set the connection that this thread is handling; None when it is done."""
    _current.connection = connection


def release_slot() -> None:
    """Release the slot of the request that this thread is handling; the main loop sees it."""
    connection: Connection | None = getattr(_current, "connection", None)
    if connection is not None:
        connection.needs_slot = False


def client_is_gone() -> bool:
    """Return whether the client of this thread has disconnected; False in a thread without one."""
    connection: Connection | None = getattr(_current, "connection", None)
    if connection is None:
        return False
    # Python waits on a socket with a timeout even under MSG_DONTWAIT, so poll first.
    ready = select.poll()
    try:
        ready.register(connection.sock, select.POLLIN)
        return bool(ready.poll(0)) and not connection.sock.recv(1, socket.MSG_PEEK)
    except OSError:
        return True
