"""What the main loop does with connections, so that only whole requests take a thread.

Header and body are gathered here, within their times and within the memory for bodies. What cannot be served is refused
here as well, before anything slow has looked at it. A refused client that stays is not heard again before a place is
free or the seconds are over after which it was told to come again: clients that hammer cost the others nothing.
"""

import socket
import time
from collections import deque
from collections.abc import Callable, Mapping
from selectors import BaseSelector
from typing import Any

from image_classifier.serving.connections import admission
from image_classifier.serving.connections.admission import ByteBudget, Pace
from image_classifier.serving.connections.connection import Connection, Stage
from image_classifier.serving.connections.incoming import Incoming
from image_classifier.serving.connections.limits import (
    ANSWERS_ON_THEIR_WAY,
    DROPPED_BYTES,
    ENDING_SECONDS,
    LAST_CALL_SECONDS,
    SMALL_BODY_BYTES,
    Limits,
)
from image_classifier.serving.connections.malformed import malformed
from image_classifier.serving.connections.open_connections import OpenConnections
from image_classifier.serving.refusal import RefusedError, body_incomplete, body_too_large

_PAUSE_SECONDS = 0.1
_WORK = ("/invocations", "/invoke")
"""Ends of the paths whose requests need a place."""


class Front:
    """The connections of a process, in the hands of its main loop alone.

    `answer` gives a whole request to a thread, whose end is told by `finished`. `observe` hears of each refusal, with
    the request, None when no header has come, and says which headers are sent back.
    """

    def __init__(
        self,
        poller: BaseSelector,
        cfg: Any,
        limits: Limits,
        answer: Callable[[Connection], None],
        observe: Callable[[Any, RefusedError], Mapping[str, str]],
    ):
        self.connections = OpenConnections(poller, self._read)
        self._cfg, self._limits, self._answer, self._observe = cfg, limits, answer, observe
        self._bodies = ByteBudget(limits.body_memory_bytes, SMALL_BODY_BYTES)
        self._parked: deque[Connection] = deque()
        self._pace = Pace()
        self._worked_on: set[Connection] = set()
        self._ending = False
        self._looked = 0.0

    def add(self, sock: socket.socket, client: Any, server: Any) -> None:
        """Take a new connection."""
        connection = Connection(sock, client, server, Incoming(self._cfg, client))
        connection.wait(self._limits.header_seconds)
        self.connections.add(connection)
        self._read(connection)

    def finished(self, connection: Connection, keep: bool) -> None:
        """Take a connection back from its thread."""
        connection.takes_place = False
        self._count(connection, 0)
        if connection in self._worked_on:
            # With half of the places taken nothing is idle, and the pace is known before the first is refused.
            self._pace.freed(time.monotonic(), 2 * len(self._worked_on) >= self._limits.in_flight)
            self._worked_on.remove(connection)
            self._let_in()
        if connection.sock.fileno() < 0:  # the thread had to close it in the middle of an answer
            self.connections.close(connection)
        elif keep and not self._ending:
            connection.sock.setblocking(False)
            self._listen(connection)
        else:
            connection.sock.setblocking(False)
            self.connections.part(connection)

    def tick(self) -> None:
        """Do what is due; to be called often."""
        now = time.monotonic()
        if now < self._looked + _PAUSE_SECONDS:
            return
        self._looked = now
        due = [connection for connection in self._parked if connection.deadline <= now]
        self._parked = deque(connection for connection in self._parked if connection.deadline > now)
        for connection in due:
            self._listen(connection)
        for connection in self.connections.late(now):
            if connection.stage is Stage.ARRIVING and not connection.idle:
                self._refuse(connection, self._too_slow(connection))
            else:
                self._count(connection, 0)
                self.connections.close(connection)

    def end(self) -> None:
        """Prepare for the end: what has begun is served, what is idle is closed."""
        self._ending = True
        while self._parked:
            self._listen(self._parked.popleft())
        now = time.monotonic()
        for connection in self.connections.arriving():
            last = now + (LAST_CALL_SECONDS if connection.idle else ENDING_SECONDS)
            connection.deadline = min(connection.deadline, last)

    def _listen(self, connection: Connection) -> bool:
        """Turn to the next request of a connection; says whether one has begun."""
        connection.incoming.begin()
        connection.stage, connection.idle, connection.in_body = Stage.ARRIVING, True, False
        connection.wait(LAST_CALL_SECONDS if self._ending else self._limits.keep_alive_seconds)
        if connection.incoming.begun:
            self._feed(connection, b"")
        else:
            self._read(connection)
        return not connection.idle

    def _let_in(self) -> None:
        # One that does ask: those who only keep their connection do not use the place up.
        while self._parked and not self._is_full():
            if self._listen(self._parked.popleft()):
                return

    def _is_full(self) -> bool:
        # A place is given back before the answer is sent, so that whoever has read it finds the place free.
        held = sum(connection.takes_place for connection in self._worked_on)
        return held >= self._limits.in_flight or len(self._worked_on) >= self._limits.in_flight + ANSWERS_ON_THEIR_WAY

    def _read(self, connection: Connection) -> None:
        data = self.connections.receive(connection)
        if data:
            self._feed(connection, data)
        elif data is None:
            return
        elif connection.stage is Stage.ARRIVING and connection.incoming.begun:
            self._refuse(connection, body_incomplete())
        else:
            self.connections.close(connection)

    def _feed(self, connection: Connection, data: bytes) -> None:
        try:
            connection.incoming.feed(data)
        except Exception as error:  # whatever a client sends, the others are still served
            if connection.stage is Stage.REFUSED:
                self.connections.part(connection)
            else:
                self._refuse(connection, malformed(error))
            return
        if connection.stage is Stage.REFUSED:
            self._after_refusal(connection)
        elif connection.incoming.request is not None:
            self._consider(connection)
        else:
            if connection.idle and connection.incoming.begun:
                connection.idle = False
                self._allow(connection, self._limits.header_seconds)
            self.connections.watch(connection)

    def _consider(self, connection: Connection) -> None:
        request = connection.incoming.request
        refusal = self._objection(connection)
        if not connection.in_body:
            connection.idle, connection.in_body = False, True
            self._allow(connection, self._limits.body_seconds)
        if refusal:
            self._refuse(connection, refusal)
        elif connection.incoming.whole:
            self._serve(connection)
        else:
            if request._expected_100_continue:
                request._expected_100_continue = False
                connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.connections.watch(connection)

    def _objection(self, connection: Connection) -> RefusedError | None:
        incoming, limits, first = connection.incoming, self._limits, not connection.in_body
        if max(incoming.announced or 0, incoming.received) > limits.max_body_bytes:
            return body_too_large(limits.max_body_bytes)
        connection.takes_place = incoming.request.path.endswith(_WORK)
        # A body on its way has no place: there must be one when it begins, else it is sent in vain, and at its end.
        if connection.takes_place and (first or incoming.whole) and self._is_full():
            return admission.busy(limits.in_flight, self._pause())
        if not self._count(connection, incoming.received) or (first and not self._bodies.fits(incoming.missing)):
            return admission.no_memory(limits.body_memory_bytes, self._pause())
        return None

    def _serve(self, connection: Connection) -> None:
        self.connections.unwatch(connection)
        connection.stage, connection.deadline = Stage.SERVED, float("inf")
        connection.incoming.request.body = connection.incoming.body()
        if connection.takes_place:
            self._worked_on.add(connection)
        self._answer(connection)

    def _refuse(self, connection: Connection, refusal: RefusedError) -> None:
        incoming, request = connection.incoming, connection.incoming.request
        sent_back = self._observe(request, refusal)
        keep = (
            refusal.status == 503
            and not self._ending
            and not request.should_close()
            and not request._expected_100_continue
            and incoming.missing <= DROPPED_BYTES
        )
        incoming.discard()
        self._count(connection, 0)
        if not connection.send(refusal.as_bytes(keep, sent_back)):
            self.connections.close(connection)
        elif not keep:
            self.connections.part(connection)
        else:
            connection.stage, connection.pause = Stage.REFUSED, int(refusal.headers["Retry-After"])
            connection.wait(self._limits.header_seconds)
            self._after_refusal(connection)

    def _after_refusal(self, connection: Connection) -> None:
        if connection.incoming.whole:
            self.connections.unwatch(connection)
            connection.stage = Stage.PARKED
            connection.wait(connection.pause)
            self._parked.append(connection)
        elif connection.incoming.received > DROPPED_BYTES:
            self.connections.part(connection)
        else:
            self.connections.watch(connection)

    def _too_slow(self, connection: Connection) -> RefusedError:
        part = "body" if connection.in_body else "header"
        seconds = self._limits.body_seconds if connection.in_body else self._limits.header_seconds
        return RefusedError(408, "timeout", f"The request's {part} did not arrive within {seconds:g} s. Send it again.")

    def _allow(self, connection: Connection, seconds: float) -> None:
        connection.wait(min(seconds, ENDING_SECONDS) if self._ending else seconds)

    def _count(self, connection: Connection, now: int) -> bool:
        before, connection.counted = connection.counted, now
        return self._bodies.change(before, now)

    def _pause(self) -> int:
        # Behind those that were refused before and come first.
        return self._pace.seconds(len(self._parked) + 1)
