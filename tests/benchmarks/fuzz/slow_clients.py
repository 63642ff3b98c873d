"""Many concurrent clients that send or read a few bytes per second, and the latency of others meanwhile."""

import base64
import contextlib
import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.fuzz.client import GOOD
from tests.benchmarks.watched_server import Watched
from tests.image.closed_loop import pinging

PAUSE, BYTES = 0.05, 256
"""Seconds between two moves of a slow client, and how much one moves at most: 5 KB/s."""
SERVER_SECONDS = 4
"""SERVE_HEADER_SECONDS and SERVE_BODY_SECONDS of the servers under attack."""
GRACE = 20.0
"""Seconds beyond that within which a slow connection must have been closed: before an answer comes its work."""
LATEST_PING_SECONDS = 5.0
"""Within which `/ping` is answered beside all of them."""
_LINES = json.dumps({"b64": base64.b64encode(GOOD).decode()}).encode() + b'\n{"b64":"AAAA"}' * 1_200
"""As JSON lines it asks for some 160 KB, more than the kernel takes off the server's hands."""
# An answer that the kernel takes whole is followed by the end, not by a wait for the next request.
_READ = (
    b"POST %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/jsonlines\r\n"
    b"Content-Length: %d\r\n\r\n%b"
)
_KINDS: tuple[Callable[[str], tuple[bytes, bytes]], ...] = (
    lambda invoke: (_READ % (invoke.encode(), len(_LINES), _LINES), b""),
    lambda invoke: (b"", f"POST {invoke} HTTP/1.1\r\nX: {'y' * 9_000}".encode()),
    lambda invoke: (f"POST {invoke} HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n".encode(), b"y" * 9_000),
)
"""Each: what is sent at once, and what is sent slowly afterwards. It reads the answer, writes its header, its body."""


@dataclass(frozen=True)
class Siege:
    """What others saw."""

    clients: int
    slowest_ping: float
    ping_statuses: frozenset[int]
    longest: float
    """Seconds after which the server had closed all of their connections."""
    afterwards: int
    """Status of a good image at the end."""

    @property
    def faults(self) -> Iterator[str]:
        """What a server that bounds slow clients would not have shown."""
        if self.slowest_ping > LATEST_PING_SECONDS or self.ping_statuses != {200}:
            told = f"{self.slowest_ping:.1f} s, {sorted(self.ping_statuses)}"
            yield f"/ping beside {self.clients} slow clients: {told}; allowed: {LATEST_PING_SECONDS} s and 200"
        if self.longest > SERVER_SECONDS + GRACE:
            yield f"a slow client kept its connection for {self.longest:.1f} s; allowed: {SERVER_SECONDS} + {GRACE}"
        if self.afterwards != 200:
            yield f"a good image after {self.clients} slow clients: {self.afterwards}"


class _SlowClient:
    def __init__(self, port: int, at_once: bytes, slowly: bytes):
        self._left = slowly
        self._socket = socket.socket()
        # Small windows, so that the answer stays with the server.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1_200)
        self._socket.connect(("127.0.0.1", port))
        self.port = int(self._socket.getsockname()[1])
        self._socket.sendall(at_once)
        self._socket.setblocking(False)

    def move(self) -> None:
        """Send one byte or read some, if the connection still lets it."""
        with contextlib.suppress(OSError):
            if self._left:
                self._left = self._left[self._socket.send(self._left[:1]) :]
            self._socket.recv(BYTES)

    def close(self) -> None:
        """Leave."""
        self._socket.close()


def besiege(server: Watched, clients: int) -> Siege:
    """Connect so many slow clients, of all kinds in turn, until the server has closed them all or time is up."""
    with pinging(server.port) as pings, contextlib.ExitStack() as stack:
        began = time.monotonic()
        slow = []
        for number in range(clients):
            client = _SlowClient(server.port, *_KINDS[number % len(_KINDS)](server.invoke))
            stack.callback(client.close)
            slow.append(client)
        # The client cannot tell: what the kernel still holds of an answer is delivered after the server has closed.
        while _seconds(began) < SERVER_SECONDS or (
            _held(server.port, slow) and _seconds(began) < SERVER_SECONDS + GRACE + 1
        ):
            time.sleep(PAUSE)
            for client in slow:
                client.move()
        longest = _seconds(began)
    return Siege(clients, max(pings.seconds), frozenset(pings.statuses), longest, _status(server))


def _seconds(began: float) -> float:
    return time.monotonic() - began


def _held(port: int, clients: Sequence[_SlowClient]) -> int:
    """Return how many of the clients' connections a process still has open at the server's end: proc_net_tcp(5)."""
    ports, found = {client.port for client in clients}, 0
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, *_, inode = line.split()[:10]
        # What a process has closed and the kernel still delivers has no inode.
        found += _port(local) == port and _port(remote) in ports and inode != "0"
    return found


def _port(address: str) -> int:
    return int(address.partition(":")[2], 16)


def _status(server: Watched) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("POST", server.invoke, GOOD, {"Content-Type": "image/png"})
        return connection.getresponse().status
    finally:
        connection.close()
