"""A main loop for tests: real sockets and a real poller, without threads and processes."""

import contextlib
import selectors
import socket
from collections.abc import Mapping
from typing import Any

from gunicorn.config import Config

from image_classifier.serving.connections.connection import Connection
from image_classifier.serving.connections.connection_loop import ConnectionLoop
from image_classifier.serving.connections.limits import Limits
from image_classifier.serving.rejection import RejectedError

LIMITS = Limits(
    in_flight=1,
    max_body_bytes=1_000_000,
    body_memory_bytes=1_000_000,
    header_seconds=60,
    body_seconds=60,
    keep_alive_seconds=60,
)
BODY = b"0123456789"


def request(body: bytes = BODY, path: str = "/invocations", announced: int | None = None) -> bytes:
    """Write a request with a body."""
    length = len(body) if announced is None else announced
    return b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (path.encode(), length, body)


class Loop:
    """A main loop that moves when it is told to; what it gives to threads is kept in `served`."""

    def __init__(self, changed: Limits = LIMITS):
        self.poller = selectors.DefaultSelector()
        self.served: list[Connection] = []
        self.rejected: list[tuple[str, int, str]] = []
        self.pinged: list[Connection] = []
        self.has_threads = True
        self.front = ConnectionLoop(self.poller, Config(), changed, self._answer, self._answer_here, self._rejected)
        self.clients: list[socket.socket] = []
        self.servers: list[socket.socket] = []

    def client(self, sent: bytes = b"") -> socket.socket:
        """Connect a client that has sent something."""
        client, server = socket.socketpair()
        self.clients.append(client)
        self.servers.append(server)
        self.front.add(server, ("127.0.0.1", 1), ("127.0.0.1", 2))
        self.send(client, sent)
        return client

    def send(self, client: socket.socket, data: bytes) -> None:
        """Let a client send, which it can only as fast as it is read."""
        client.settimeout(0)
        while data:
            with contextlib.suppress(BlockingIOError):
                data = data[client.send(data) :]
            self.move()
        client.settimeout(10)

    def move(self) -> None:
        """Do what can be done now."""
        for _ in range(10):
            for key, _ in self.poller.select(0):
                key.data(key.fileobj)
        self.front.tick()

    def finish(self, keep: bool = True) -> None:
        """Give the first that is served back."""
        self.front.finished(self.served.pop(0), keep)
        self.move()

    def close(self) -> None:
        """Close whatever is open."""
        for end in (*self.clients, *self.servers):
            end.close()
        self.poller.close()

    def _answer(self, connection: Connection) -> bool:
        if self.has_threads:
            self.served.append(connection)
        return self.has_threads

    def _answer_here(self, connection: Connection) -> bool:
        self.pinged.append(connection)
        connection.send(b"pong")
        return True

    def _rejected(self, asked: Any, rejection: RejectedError) -> Mapping[str, str]:
        self.rejected.append((asked.path if asked else "", rejection.status, rejection.code))
        return {"X-Number": str(len(self.rejected))}


def answer(client: socket.socket) -> bytes:
    """Return what a client was answered, which was sent before."""
    return client.recv(65536)


def is_closed(client: socket.socket) -> bool:
    """Say whether a client is told that there is nothing more to come."""
    client.setblocking(False)
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False
