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


def request(body: bytes = BODY, path: str = "/invocations", content_length: int | None = None) -> bytes:
    """Return a request with a body."""
    length = len(body) if content_length is None else content_length
    return b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (path.encode(), length, body)


class Loop:
    """A main loop that runs on demand; requests handed to threads are collected in `dispatched`."""

    def __init__(self, limits: Limits = LIMITS):
        self.poller = selectors.DefaultSelector()
        self.dispatched: list[Connection] = []
        self.rejected: list[tuple[str, int, str]] = []
        self.pinged: list[Connection] = []
        self.has_threads = True
        self.connection_loop = ConnectionLoop(
            self.poller, Config(), limits, self._submit, self._respond_inline, self._rejected
        )
        self.clients: list[socket.socket] = []
        self.servers: list[socket.socket] = []

    def client(self, sent: bytes = b"") -> socket.socket:
        """Connect a client and send `sent`."""
        client, server = socket.socketpair()
        self.clients.append(client)
        self.servers.append(server)
        self.connection_loop.add(server, ("127.0.0.1", 1), ("127.0.0.1", 2))
        self.send(client, sent)
        return client

    def send(self, client: socket.socket, data: bytes) -> None:
        """Send data from a client, running the loop whenever the socket is full."""
        client.settimeout(0)
        while data:
            with contextlib.suppress(BlockingIOError):
                data = data[client.send(data) :]
            self.run()
        client.settimeout(10)

    def run(self) -> None:
        """Run the loop until nothing is left to do."""
        for _ in range(10):
            for key, _ in self.poller.select(0):
                key.data(key.fileobj)
        self.connection_loop.tick()

    def finish(self, keep: bool = True) -> None:
        """Finish the first dispatched request."""
        self.connection_loop.finished(self.dispatched.pop(0), keep)
        self.run()

    def close(self) -> None:
        """Close all sockets."""
        for end in (*self.clients, *self.servers):
            end.close()
        self.poller.close()

    def _submit(self, connection: Connection) -> bool:
        if self.has_threads:
            self.dispatched.append(connection)
        return self.has_threads

    def _respond_inline(self, connection: Connection) -> bool:
        self.pinged.append(connection)
        connection.send(b"pong")
        return True

    def _rejected(self, request: Any, rejection: RejectedError) -> Mapping[str, str]:
        self.rejected.append((request.path if request else "", rejection.status, rejection.code))
        return {"X-Number": str(len(self.rejected))}


def response(client: socket.socket) -> bytes:
    """Return the response that a client has received."""
    return client.recv(65536)


def is_closed(client: socket.socket) -> bool:
    """Return whether a client sees the end of the stream."""
    client.setblocking(False)
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False
