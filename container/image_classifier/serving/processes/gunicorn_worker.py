"""gunicorn's threaded worker with our own connection handling: start reading at connections/connection_loop.py.

gunicorn's own gives each new connection a thread that blocks on its bytes, closes connections in the main loop, where
it waits for the client, and answers malformed requests in HTML. We use gunicorn for processes and signals, HTTP
parsing, and writing the responses of WSGI applications.
"""

import errno
import logging
import os
import resource
import sys
import time
from collections.abc import Mapping
from typing import Any

from image_classifier.serving import settings, worker_state
from image_classifier.serving.connections import connection
from image_classifier.serving.connections.connection import Connection
from image_classifier.serving.connections.connection_loop import ConnectionLoop
from image_classifier.serving.connections.gunicorn_internals import GunicornWorker
from image_classifier.serving.connections.limits import Limits
from image_classifier.serving.connections.response_socket import ResponseSocket
from image_classifier.serving.processes.thread_pool import ThreadPool
from image_classifier.serving.rejection import RejectedError, internal_error

_ACCEPT_BATCH = 64
_PAUSE_SECONDS = 0.25
_CONNECTIONS, _OTHER_FILES = 4096, 256
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
"""Nothing can be accepted until something is closed."""
_BROKEN = (errno.EBADF, errno.EINVAL, errno.ENOTSOCK, errno.EFAULT)
"""Errors of the listener itself; every other error concerns a single connection (accept(2))."""
_EVICTED_AT_ONCE = 64
"""Idle connections that are closed at a time in favour of new ones."""
_ACCEPT_PAUSE_SECONDS, _WARNING_INTERVAL_SECONDS = 0.5, 60.0
log = logging.getLogger("image_classifier.serving")


def connections_allowed() -> int:
    """Return how many connections a process may hold, at most 4096; raises its limit of open files where possible."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _CONNECTIONS + _OTHER_FILES
    files = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    return max(files - _OTHER_FILES, 64)


class Worker(GunicornWorker):
    """A process with one copy of the model and many threads."""

    connection_loop: ConnectionLoop
    _accept_again = _evict_again = 0.0
    _warned_at = float("-inf")

    def init_process(self) -> None:
        """Start; if the system lacks resources, exit with a code that leads to a restart (unlike a broken model's)."""
        try:
            super().init_process()
        except (OSError, MemoryError) as error:
            if self.booted:
                raise
            log.error("PlatformError: Worker %d cannot start: %s.", os.getpid(), error)
            sys.exit(1)

    def run(self) -> None:
        """Serve until the worker is stopped."""
        chosen = settings.read(os.environ)
        self._response_seconds = chosen.body_seconds
        self._observe = getattr(self.application, "extensions", {}).get("observe_rejection", _unobserved)
        limits = Limits(
            in_flight=chosen.in_flight,
            max_body_bytes=chosen.max_body_bytes,
            body_memory_bytes=chosen.body_memory_bytes,
            header_seconds=chosen.header_seconds,
            body_seconds=chosen.body_seconds,
            keep_alive_seconds=self.cfg.keepalive,
        )
        self.connection_loop = ConnectionLoop(
            self.selector, self.cfg, limits, self._submit_request, self._respond_inline, self._observe
        )
        super().run()

    def make_thread_pool(self) -> ThreadPool:
        """Return our own pool: gunicorn's executor raises in the main loop when the system cannot start a thread."""
        return ThreadPool(self.cfg.threads)

    def on_listener_readable(self, listener: Any) -> None:
        """Accept pending connections; with several workers only one, so that each gets its share."""
        if worker_state.another_worker_is_ready():
            self.on_accept_change(False)
            return
        for _ in range(_ACCEPT_BATCH if self.cfg.workers == 1 else 1):
            if not self._accept_one(listener):
                return

    def _accept_one(self, listener: Any) -> bool:
        try:
            sock, client = listener.accept()
        except OSError as error:
            if error.errno in _BROKEN:
                raise
            if error.errno in _EXHAUSTED:
                return self._make_room(error)
            return error.errno != errno.EAGAIN
        self.connection_loop.add(sock, client, listener.getsockname())
        self.set_connection_count(len(self.connection_loop.connections))
        return True

    def _make_room(self, error: OSError) -> bool:
        """Close idle connections when no file descriptor is left; without any, pause accepting and return False."""
        closed = self.connection_loop.make_room(_EVICTED_AT_ONCE)
        now = time.monotonic()
        if now - self._warned_at > _WARNING_INTERVAL_SECONDS:
            self._warned_at = now
            log.warning("Cannot accept a connection: %s. Closed %d idle connections.", error.strerror, closed)
        if not closed:
            # The listener stays readable: without a pause the main loop would spin on it.
            self._accept_again = now + _ACCEPT_PAUSE_SECONDS
            self.on_accept_change(not self.is_stopping)
        return closed > 0

    def on_accept_change(self, enabled: bool) -> None:
        """Start or stop accepting connections; for good when the worker is stopping.

        A worker whose model is not ready leaves connections to those that are ready, since it could only answer 503. On
        shutdown, connections that the kernel has already accepted are served. Later ones are rejected by the kernel,
        where gunicorn would leave them in its backlog until the process exits.
        """
        paused = time.monotonic() < self._accept_again
        self.set_accepting(enabled and not paused and not worker_state.another_worker_is_ready())
        if not enabled and self.is_stopping:
            for listener in self.listeners:
                for _ in range(self.cfg.backlog):
                    if not self._accept_one(listener):
                        break
                listener.close()
            self.connection_loop.drain()

    def run_once(self, timeout: float) -> None:
        """Handle events, then the pending work of the connection loop."""
        active = len(self.connection_loop.connections) > 0 or not self.is_accepting
        pause = 0.0 if self.connection_loop.is_busy else _PAUSE_SECONDS if active else timeout
        self.poll(min(timeout, pause))
        self.connection_loop.tick()
        self.set_connection_count(len(self.connection_loop.connections))
        now = time.monotonic()
        if self.is_at_connection_limit and now >= self._evict_again:
            self._evict_again = now + _PAUSE_SECONDS
            self.connection_loop.make_room(_EVICTED_AT_ONCE)
            self.set_connection_count(len(self.connection_loop.connections))

    def _submit_request(self, conn: Connection) -> bool:
        """Answer a complete request in a thread; return False if no thread is available."""

        def answer() -> None:
            # Whatever happens, the connection returns to the main loop.
            keep = False
            try:
                # The deadline frees the thread from a client that does not read its response.
                keep = self._respond(conn, ResponseSocket(conn.sock, self._response_seconds))
            finally:
                self.call_in_main_loop(self.connection_loop.finished, conn, keep)

        return self.submit(answer)

    def _respond_inline(self, conn: Connection) -> bool:
        # Without blocking: what the kernel does not take immediately is lost.
        return self._respond(conn, conn.sock)

    def _respond(self, conn: Connection, sock: Any) -> bool:
        connection.bind_to_thread(conn)
        request = conn.reader.request
        try:
            return self.respond(request, sock, conn.client, conn.server)
        except (OSError, StopIteration) as error:
            self.log.debug("A client disconnected before its response was sent: %s", error)
        except Exception as error:
            self.log.error("A request failed below the application.", exc_info=error)
            failed = internal_error()
            conn.send(failed.as_bytes(False, self._observe(request, failed), conn.reader.is_head))
        finally:
            connection.bind_to_thread(None)
        return False


def _unobserved(request: Any, rejection: RejectedError) -> Mapping[str, str]:
    return {}
