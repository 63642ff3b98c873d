"""A client that keeps many connections busy from one thread, and one that pings meanwhile from a process of its own."""

import json
import selectors
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass
class Outcome:
    """What many connections were answered within some seconds."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    breaks: list[str] = field(default_factory=list)
    """Connections that ended without an answer, by the reason."""
    rejected_after: list[float] = field(default_factory=list)
    """Seconds of the first answer of each connection that was rejected."""

    @property
    def goodput(self) -> float:
        """Images answered a second."""
        return self.statuses[200] / self.seconds


class _Asking:
    """A connection that asks again as soon as it is answered."""

    def __init__(self, address: tuple[str, int], request: bytes, poller: selectors.BaseSelector, outcome: Outcome):
        self._address, self._request, self._poller, self._outcome = address, request, poller, outcome
        self._first = True
        self._connect()

    def _connect(self) -> None:
        self._sock = socket.create_connection(self._address, timeout=10)
        self._sock.setblocking(False)
        self._poller.register(self._sock, selectors.EVENT_WRITE, self.move)
        self._ask()

    def _ask(self) -> None:
        self._left, self._answer, self._answered = memoryview(self._request), b"", False
        self._asked = time.monotonic()
        self._poller.modify(self._sock, selectors.EVENT_READ | selectors.EVENT_WRITE, self.move)

    def move(self, events: int) -> None:
        """Send or receive what can be."""
        try:
            if events & selectors.EVENT_READ:
                self._receive()
            elif self._left:
                self._left = self._left[self._sock.send(self._left) :]
                if not self._left and self._answered:
                    self._ask()
                elif not self._left:
                    self._poller.modify(self._sock, selectors.EVENT_READ, self.move)
        except OSError as error:
            self._again(f"{type(error).__name__}: {error}")

    def _receive(self) -> None:
        block = self._sock.recv(65536)
        if not block:
            self._again("closed without an answer")
            return
        self._answer += block
        head, found, body = self._answer.partition(b"\r\n\r\n")
        if not found or len(body) < int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]):
            return
        status = int(head[9:12])
        self._outcome.statuses[status] += 1
        if self._first and status == 503:
            self._outcome.rejected_after.append(time.monotonic() - self._asked)
        self._first = False
        self._answered = True
        if b"connection: close" in head.lower():
            self.close()
            self._connect()
        elif not self._left:  # a rejection may come before all is sent
            self._ask()

    def _again(self, reason: str) -> None:
        self._outcome.breaks.append(reason)
        self.close()
        self._connect()

    def close(self) -> None:
        """End it."""
        self._poller.unregister(self._sock)
        self._sock.close()


def load(port: int, request: bytes, connections: int, seconds: float) -> Outcome:
    """Keep so many connections busy with a request for some seconds, after one second that is not counted."""
    warm, outcome = Outcome(), Outcome()
    with selectors.DefaultSelector() as poller:
        asking = [_Asking(("127.0.0.1", port), request, poller, warm) for _ in range(connections)]
        _move(poller, 1.0)
        outcome.rejected_after, outcome.breaks = warm.rejected_after, warm.breaks
        for connection in asking:
            connection._outcome = outcome
        outcome.seconds = _move(poller, seconds)
        for connection in asking:
            connection.close()
    return outcome


def _move(poller: selectors.BaseSelector, seconds: float) -> float:
    started = time.monotonic()
    while time.monotonic() < started + seconds:
        for key, events in poller.select(0.1):
            key.data(events)
    return time.monotonic() - started


_PING = """
import http.client, json, select, sys, time
found, connection = [], http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=30)
while not select.select([sys.stdin], [], [], 0.02)[0]:
    started = time.monotonic()
    connection.request("GET", "/ping")
    answer = connection.getresponse()
    answer.read()
    found.append((time.monotonic() - started, answer.status))
print(json.dumps(found))
"""


@dataclass
class Pings:
    """What pings cost, in seconds; filled at the end."""

    seconds: list[float] = field(default_factory=list)
    statuses: set[int] = field(default_factory=set)

    def quantile(self, part: float) -> float:
        """Return what so large a part of them did not exceed."""
        return sorted(self.seconds)[min(int(part * len(self.seconds)), len(self.seconds) - 1)]


@contextmanager
def pinging(port: int) -> Iterator[Pings]:
    """Ask for /ping fifty times a second until the end."""
    found = Pings()
    process = subprocess.Popen(
        [sys.executable, "-c", _PING, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    try:
        yield found
        answers = json.loads(process.communicate(b"stop\n", timeout=30)[0])
        found.seconds, found.statuses = [seconds for seconds, _ in answers], {status for _, status in answers}
    finally:
        process.kill()
        process.wait()
