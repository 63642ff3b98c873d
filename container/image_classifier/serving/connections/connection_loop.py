"""The main loop's part of HTTP: read requests from many connections, so that only complete requests take a thread.

Header and body are gathered here, within their timeouts and the memory budget for bodies. What cannot be served is
rejected here as well, before any slow code has seen it, and /ping is answered here, so that it does not depend on a
free thread. A rejected client that retries too early is deferred for a moment, so that clients that hammer cost the
others little; anything else it sends on its connection is answered like that of any other client.
"""

import logging
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping
from selectors import BaseSelector
from typing import Any

from image_classifier.serving.connections import admission
from image_classifier.serving.connections.connection import Connection, Stage
from image_classifier.serving.connections.dispatcher import Dispatcher
from image_classifier.serving.connections.limits import (
    BACK_OFF_SECONDS,
    DRAIN_SECONDS,
    IDLE_DRAIN_SECONDS,
    MAX_DISCARDED_BYTES,
    SLOTLESS_THREADS,
    SLOW_ARRIVAL_SECONDS,
    Limits,
)
from image_classifier.serving.connections.malformed import malformed
from image_classifier.serving.connections.open_connections import OpenConnections
from image_classifier.serving.connections.rejection_policy import RejectionPolicy
from image_classifier.serving.connections.request_reader import RequestReader
from image_classifier.serving.connections.retry_queue import RetryQueue
from image_classifier.serving.rejection import RejectedError, body_incomplete

_TICK_SECONDS = 0.1
_HEALTH = b"/ping"
log = logging.getLogger("image_classifier.serving")


class ConnectionLoop:
    """The connections of a process, used by its main loop's thread only.

    `submit` hands a complete request to a thread, which calls `finished` in the main loop when it is done, and returns
    whether a thread was available. `respond_inline` answers a request in the main loop and returns whether its
    connection can be kept. `observe` is called with each rejection and its request (None before the header is
    complete), and returns the headers to send back.
    """

    def __init__(
        self,
        poller: BaseSelector,
        cfg: Any,
        limits: Limits,
        submit: Callable[[Connection], bool],
        respond_inline: Callable[[Connection], bool],
        observe: Callable[[Any, RejectedError], Mapping[str, str]],
    ):
        self.connections = OpenConnections(poller, lambda connection: self._guard(self._read, connection))
        self._cfg, self._limits, self._observe = cfg, limits, observe
        self._dispatcher, self._respond_inline = Dispatcher(limits.in_flight, submit), respond_inline
        self._retry_queue = RetryQueue()
        self._policy = RejectionPolicy(limits, self._dispatcher, self._retry_queue)
        # One step of each connection per round, so that a client with a thousand pipelined requests does not starve
        # others.
        self._pings: deque[Connection] = deque()
        self._rejected: deque[Connection] = deque()
        self._draining = False
        self._last_tick = 0.0

    def add(self, sock: socket.socket, client: Any, server: Any) -> None:
        """Add a new connection."""
        connection = Connection(sock, client, server, RequestReader(self._cfg, client))
        connection.set_deadline(self._limits.header_seconds)
        self.connections.add(connection)
        self._guard(self._read, connection)

    @property
    def is_busy(self) -> bool:
        """Whether `tick` has work to do immediately."""
        return bool(self._pings or self._rejected)

    def make_room(self, most: int) -> int:
        """Close up to `most` connections in favour of new ones, idle or else slow ones; return how many."""
        found = self.connections.evictable(most, time.monotonic() - SLOW_ARRIVAL_SECONDS)
        for connection in found:
            self._guard(self._evict, connection)
        return len(found)

    def finished(self, connection: Connection, keep: bool) -> None:
        """Take a connection back from its thread."""
        self._guard(lambda connection: self._take_back(connection, keep), connection)

    def _take_back(self, connection: Connection, keep: bool) -> None:
        connection.needs_slot = False
        self._policy.account_body(connection, 0)
        if self._dispatcher.complete(connection):
            self._admit_next()
        while queued := self._dispatcher.next_queued():
            self._guard(self._dispatch, queued)
        if connection.sock.fileno() < 0:  # the thread had to close it in the middle of a response
            self.connections.close(connection)
        elif keep and not self._draining:
            connection.sock.setblocking(False)
            self._await_next_request(connection)
        else:
            connection.sock.setblocking(False)
            self.connections.half_close(connection)

    def tick(self) -> None:
        """Process pending pings, rejected connections and expired deadlines; call it often."""
        for _ in range(len(self._pings)):
            self._guard(self._ping, self._pings.popleft())
        for _ in range(len(self._rejected)):
            self._guard(self._await_next_request, self._rejected.popleft())
        now = time.monotonic()
        if now < self._last_tick + _TICK_SECONDS:
            return
        self._last_tick = now
        self._retry_queue.expire(now)
        for connection in self.connections.expired(now):
            self._guard(self._on_deadline, connection)

    def drain(self) -> None:
        """Start the graceful shutdown: requests that have started are served, idle connections are closed."""
        self._draining = True
        while connection := self._retry_queue.first_backing_off():
            self._retry_queue.leave(connection)
            self._guard(self._resume, connection)
        now = time.monotonic()
        for connection in self.connections.arriving():
            last = now + (IDLE_DRAIN_SECONDS if connection.idle else DRAIN_SECONDS)
            connection.deadline = min(connection.deadline, last)

    def _guard(self, step: Callable[[Connection], None], connection: Connection) -> None:
        if connection.stage is Stage.CLOSING:
            return
        try:
            step(connection)
        except Exception as error:  # whatever fails at one connection, the others are still served
            log.error("A connection failed inside the server and was closed.", exc_info=error)
            self._forget(connection)
            self.connections.close(connection)

    def _forget(self, connection: Connection) -> None:
        self._dispatcher.complete(connection)
        self._retry_queue.leave(connection)
        self._policy.account_body(connection, 0)

    def _on_deadline(self, connection: Connection) -> None:
        if connection.stage is Stage.BACKING_OFF:
            self._resume(connection)
        elif connection.stage is Stage.QUEUED:
            self._dispatcher.cancel_queued(connection)
            self._reject(connection, admission.busy(SLOTLESS_THREADS, 1))
        elif connection.stage is Stage.ARRIVING and not connection.idle:
            self._reject(connection, self._policy.timeout(connection))
        else:
            self._policy.account_body(connection, 0)
            self.connections.close(connection)

    def _evict(self, connection: Connection) -> None:
        if not connection.idle:
            rejection = admission.too_slow_for_others()
            sent_back = self._observe(connection.reader.request, rejection)
            connection.send(rejection.as_bytes(False, sent_back, connection.reader.is_head))
        self._forget(connection)
        self.connections.close(connection)

    def _ping(self, connection: Connection) -> None:
        self._take_back(connection, self._respond_inline(connection))

    def _await_next_request(self, connection: Connection) -> None:
        connection.reader.next_request()
        connection.stage, connection.idle, connection.in_body = Stage.ARRIVING, True, False
        connection.was_deferred = False
        connection.set_deadline(IDLE_DRAIN_SECONDS if self._draining else self._limits.keep_alive_seconds)
        if connection.reader.has_started:
            self._feed(connection, b"")
        else:
            self._read(connection)

    def _admit_next(self) -> None:
        if not self._dispatcher.is_full and (connection := self._retry_queue.first_backing_off()):
            self._guard(self._resume, connection)

    def _resume(self, connection: Connection) -> None:
        connection.stage = Stage.ARRIVING
        self._on_header(connection)

    def _read(self, connection: Connection) -> None:
        data = self.connections.receive(connection)
        if data:
            self._feed(connection, data)
        elif data is None:
            return
        elif connection.stage is Stage.ARRIVING and connection.reader.has_started:
            self._reject(connection, body_incomplete())
        else:
            self.connections.close(connection)

    def _feed(self, connection: Connection, data: bytes) -> None:
        try:
            connection.reader.feed(data)
        except Exception as error:  # whatever a client sends, the others are still served
            if connection.stage is Stage.REJECTED:
                self.connections.half_close(connection)
            else:
                self._reject(connection, malformed(error))
            return
        if connection.stage is Stage.REJECTED:
            self._after_rejection(connection)
        elif connection.reader.request is not None:
            self._on_header(connection)
        else:
            if connection.idle and connection.reader.has_started:
                connection.idle = False
                self._extend_deadline(connection, self._limits.header_seconds)
            self.connections.watch(connection)

    def _on_header(self, connection: Connection) -> None:
        request = connection.reader.request
        rejection = self._policy.rejection_for(connection)
        if rejection and rejection.status == 503 and self._defer(connection):
            return
        if not connection.in_body:
            connection.idle, connection.in_body = False, True
            self._extend_deadline(connection, self._limits.body_seconds)
        if rejection:
            self._reject(connection, rejection)
        elif connection.reader.is_complete:
            self._handle(connection)
        else:
            if request.expects_continue:
                request.continue_sent()
                connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.connections.watch(connection)

    def _defer(self, connection: Connection) -> bool:
        """Defer the request of a rejected client that retries too early; return whether it is deferred."""
        if connection.was_deferred or connection.in_body or self._draining:
            return False
        now = time.monotonic()
        until = min(self._retry_queue.until(connection), now + BACK_OFF_SECONDS)
        if until <= now:
            return False
        self.connections.unwatch(connection)
        connection.was_deferred, connection.idle = True, False
        connection.stage, connection.deadline = Stage.BACKING_OFF, until
        return True

    def _handle(self, connection: Connection) -> None:
        self.connections.unwatch(connection)
        connection.stage, connection.deadline = Stage.HANDLED_BY_THREAD, float("inf")
        connection.reader.request.body = connection.reader.take_body()
        if connection.reader.path == _HEALTH:
            self._pings.append(connection)
        else:
            self._dispatch(connection)

    def _dispatch(self, connection: Connection) -> None:
        if not self._dispatcher.dispatch(connection, self._limits.body_seconds):
            self._reject(connection, admission.no_thread(self._policy.retry_after(connection)))
        elif connection.needs_slot:
            self._retry_queue.leave(connection)

    def _reject(self, connection: Connection, rejection: RejectedError) -> None:
        reader, request = connection.reader, connection.reader.request
        sent_back = self._observe(request, rejection)
        keep = (
            rejection.status == 503
            and not self._draining
            and not request.should_close()
            and not request.expects_continue
            and reader.missing <= MAX_DISCARDED_BYTES
        )
        reader.discard()
        self._policy.account_body(connection, 0)
        if not connection.send(rejection.as_bytes(keep, sent_back, reader.is_head)):
            self.connections.close(connection)
        elif not keep:
            self.connections.half_close(connection)
        else:
            connection.stage, connection.retry_after = Stage.REJECTED, int(rejection.headers["Retry-After"])
            connection.set_deadline(self._limits.header_seconds)
            self._after_rejection(connection)

    def _after_rejection(self, connection: Connection) -> None:
        if connection.reader.is_complete:
            self.connections.unwatch(connection)
            now = time.monotonic()
            self._retry_queue.join(connection, now + connection.retry_after, now)
            self._rejected.append(connection)
        elif connection.reader.received > MAX_DISCARDED_BYTES:
            self.connections.half_close(connection)
        else:
            self.connections.watch(connection)

    def _extend_deadline(self, connection: Connection, seconds: float) -> None:
        connection.set_deadline(min(seconds, DRAIN_SECONDS) if self._draining else seconds)
