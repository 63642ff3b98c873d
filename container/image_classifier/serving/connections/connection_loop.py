"""What the main loop does with connections, so that only whole requests take a thread.

Header and body are gathered here, within their times and within the memory for bodies. What cannot be served is
rejected here as well, before anything slow has looked at it, and /ping is answered here, so that no lack of threads
silences it. A rejected client that stays and asks again too early is held back for a moment, so that clients that
hammer cost the others little; whatever else it sends on its connection is answered like that of any other client.
"""

import logging
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping
from selectors import BaseSelector
from typing import Any

from image_classifier.serving.connections import admission
from image_classifier.serving.connections.answering import Answering
from image_classifier.serving.connections.connection import Connection, Stage
from image_classifier.serving.connections.limits import (
    DROPPED_BYTES,
    ENDING_SECONDS,
    HELD_BACK_SECONDS,
    LAST_CALL_SECONDS,
    OTHERS_AT_ONCE,
    SLOW_SECONDS,
    Limits,
)
from image_classifier.serving.connections.malformed import malformed
from image_classifier.serving.connections.open_connections import OpenConnections
from image_classifier.serving.connections.rejections import Objections
from image_classifier.serving.connections.request_reader import RequestReader
from image_classifier.serving.connections.waiting_line import WaitingLine
from image_classifier.serving.rejection import RejectedError, body_incomplete

_PAUSE_SECONDS = 0.1
_HEALTH = b"/ping"
log = logging.getLogger("image_classifier.serving")


class ConnectionLoop:
    """The connections of a process, in the hands of its main loop alone.

    `answer` gives a whole request to a thread, whose end is told by `finished`, and says whether there is a thread for
    it; `answer_here` answers one without a thread and says whether its connection can be kept. `observe` hears of each
    rejection, with the request, None when no header has come, and says which headers are sent back.
    """

    def __init__(
        self,
        poller: BaseSelector,
        cfg: Any,
        limits: Limits,
        answer: Callable[[Connection], bool],
        answer_here: Callable[[Connection], bool],
        observe: Callable[[Any, RejectedError], Mapping[str, str]],
    ):
        self.connections = OpenConnections(poller, lambda connection: self._guard(self._read, connection))
        self._cfg, self._limits, self._observe = cfg, limits, observe
        self._answering, self._answer_here = Answering(limits.in_flight, answer), answer_here
        self._line = WaitingLine()
        self._objections = Objections(limits, self._answering, self._line)
        # One step of each connection a round: a client that sends a thousand requests in one go is one of many.
        self._pings: deque[Connection] = deque()
        self._answered: deque[Connection] = deque()
        self._ending = False
        self._looked = 0.0

    def add(self, sock: socket.socket, client: Any, server: Any) -> None:
        """Take a new connection."""
        connection = Connection(sock, client, server, RequestReader(self._cfg, client))
        connection.wait(self._limits.header_seconds)
        self.connections.add(connection)
        self._guard(self._read, connection)

    @property
    def is_busy(self) -> bool:
        """Whether `tick` has something to do at once."""
        return bool(self._pings or self._answered)

    def make_room(self, most: int) -> int:
        """Close up to `most` connections in favour of new ones, idle ones or else slow ones; says how many."""
        found = self.connections.dispensable(most, time.monotonic() - SLOW_SECONDS)
        for connection in found:
            self._guard(self._give_up, connection)
        return len(found)

    def finished(self, connection: Connection, keep: bool) -> None:
        """Take a connection back from its thread."""
        self._guard(lambda connection: self._take_back(connection, keep), connection)

    def _take_back(self, connection: Connection, keep: bool) -> None:
        connection.needs_slot = False
        self._objections.count(connection, 0)
        if self._answering.end(connection):
            self._let_in()
        while queued := self._answering.next_queued():
            self._guard(self._hand_over, queued)
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
        for _ in range(len(self._pings)):
            self._guard(self._ping, self._pings.popleft())
        for _ in range(len(self._answered)):
            self._guard(self._listen, self._answered.popleft())
        now = time.monotonic()
        if now < self._looked + _PAUSE_SECONDS:
            return
        self._looked = now
        self._line.lapse(now)
        for connection in self.connections.late(now):
            self._guard(self._time_is_over, connection)

    def end(self) -> None:
        """Prepare for the end: what has begun is served, what is idle is closed."""
        self._ending = True
        while connection := self._line.first_held_back():
            self._line.leave(connection)
            self._guard(self._resume, connection)
        now = time.monotonic()
        for connection in self.connections.arriving():
            last = now + (LAST_CALL_SECONDS if connection.idle else ENDING_SECONDS)
            connection.deadline = min(connection.deadline, last)

    def _guard(self, step: Callable[[Connection], None], connection: Connection) -> None:
        if connection.stage is Stage.CLOSING:
            return
        try:
            step(connection)
        except Exception as error:  # whatever one connection runs into, the others are still served
            log.error("A connection failed inside the server and was closed.", exc_info=error)
            self._forget(connection)
            self.connections.close(connection)

    def _forget(self, connection: Connection) -> None:
        self._answering.end(connection)
        self._line.leave(connection)
        self._objections.count(connection, 0)

    def _time_is_over(self, connection: Connection) -> None:
        if connection.stage is Stage.HELD_BACK:
            self._resume(connection)
        elif connection.stage is Stage.QUEUED:
            self._answering.stop_waiting(connection)
            self._reject(connection, admission.busy(OTHERS_AT_ONCE, 1))
        elif connection.stage is Stage.ARRIVING and not connection.idle:
            self._reject(connection, self._objections.too_slow(connection))
        else:
            self._objections.count(connection, 0)
            self.connections.close(connection)

    def _give_up(self, connection: Connection) -> None:
        if not connection.idle:
            rejection = admission.too_slow_for_others()
            sent_back = self._observe(connection.incoming.request, rejection)
            connection.send(rejection.as_bytes(False, sent_back, connection.incoming.is_head))
        self._forget(connection)
        self.connections.close(connection)

    def _ping(self, connection: Connection) -> None:
        self._take_back(connection, self._answer_here(connection))

    def _listen(self, connection: Connection) -> None:
        connection.incoming.begin()
        connection.stage, connection.idle, connection.in_body = Stage.ARRIVING, True, False
        connection.was_held_back = False
        connection.wait(LAST_CALL_SECONDS if self._ending else self._limits.keep_alive_seconds)
        if connection.incoming.begun:
            self._feed(connection, b"")
        else:
            self._read(connection)

    def _let_in(self) -> None:
        if not self._answering.is_full and (connection := self._line.first_held_back()):
            self._guard(self._resume, connection)

    def _resume(self, connection: Connection) -> None:
        connection.stage = Stage.ARRIVING
        self._consider(connection)

    def _read(self, connection: Connection) -> None:
        data = self.connections.receive(connection)
        if data:
            self._feed(connection, data)
        elif data is None:
            return
        elif connection.stage is Stage.ARRIVING and connection.incoming.begun:
            self._reject(connection, body_incomplete())
        else:
            self.connections.close(connection)

    def _feed(self, connection: Connection, data: bytes) -> None:
        try:
            connection.incoming.feed(data)
        except Exception as error:  # whatever a client sends, the others are still served
            if connection.stage is Stage.REFUSED:
                self.connections.part(connection)
            else:
                self._reject(connection, malformed(error))
            return
        if connection.stage is Stage.REFUSED:
            self._after_rejection(connection)
        elif connection.incoming.request is not None:
            self._consider(connection)
        else:
            if connection.idle and connection.incoming.begun:
                connection.idle = False
                self._allow(connection, self._limits.header_seconds)
            self.connections.watch(connection)

    def _consider(self, connection: Connection) -> None:
        request = connection.incoming.request
        rejection = self._objections.to(connection)
        if rejection and rejection.status == 503 and self._hold_back(connection):
            return
        if not connection.in_body:
            connection.idle, connection.in_body = False, True
            self._allow(connection, self._limits.body_seconds)
        if rejection:
            self._reject(connection, rejection)
        elif connection.incoming.whole:
            self._serve(connection)
        else:
            if request._expected_100_continue:
                request._expected_100_continue = False
                connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.connections.watch(connection)

    def _hold_back(self, connection: Connection) -> bool:
        """Keep the request of a rejected client that asks again too early; says whether it is kept for now."""
        if connection.was_held_back or connection.in_body or self._ending:
            return False
        now = time.monotonic()
        until = min(self._line.until(connection), now + HELD_BACK_SECONDS)
        if until <= now:
            return False
        self.connections.unwatch(connection)
        connection.was_held_back, connection.idle = True, False
        connection.stage, connection.deadline = Stage.HELD_BACK, until
        return True

    def _serve(self, connection: Connection) -> None:
        self.connections.unwatch(connection)
        connection.stage, connection.deadline = Stage.SERVED, float("inf")
        connection.incoming.request.body = connection.incoming.body()
        if connection.incoming.path == _HEALTH:
            self._pings.append(connection)
        else:
            self._hand_over(connection)

    def _hand_over(self, connection: Connection) -> None:
        if not self._answering.begin(connection, self._limits.body_seconds):
            self._reject(connection, admission.no_thread(self._objections.pause(connection)))
        elif connection.needs_slot:
            self._line.leave(connection)

    def _reject(self, connection: Connection, rejection: RejectedError) -> None:
        incoming, request = connection.incoming, connection.incoming.request
        sent_back = self._observe(request, rejection)
        keep = (
            rejection.status == 503
            and not self._ending
            and not request.should_close()
            and not request._expected_100_continue
            and incoming.missing <= DROPPED_BYTES
        )
        incoming.discard()
        self._objections.count(connection, 0)
        if not connection.send(rejection.as_bytes(keep, sent_back, incoming.is_head)):
            self.connections.close(connection)
        elif not keep:
            self.connections.part(connection)
        else:
            connection.stage, connection.pause = Stage.REFUSED, int(rejection.headers["Retry-After"])
            connection.wait(self._limits.header_seconds)
            self._after_rejection(connection)

    def _after_rejection(self, connection: Connection) -> None:
        if connection.incoming.whole:
            self.connections.unwatch(connection)
            now = time.monotonic()
            self._line.join(connection, now + connection.pause, now)
            self._answered.append(connection)
        elif connection.incoming.received > DROPPED_BYTES:
            self.connections.part(connection)
        else:
            self.connections.watch(connection)

    def _allow(self, connection: Connection, seconds: float) -> None:
        connection.wait(min(seconds, ENDING_SECONDS) if self._ending else seconds)
