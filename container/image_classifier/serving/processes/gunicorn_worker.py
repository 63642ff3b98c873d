"""gunicorn's threaded worker with connections of our own: start reading at connections/front.py.

gunicorn gives a thread to a connection whose bytes have not come and lets the thread wait for each of them, closes in
its main loop, where it waits for the client, and answers in HTML what it does not understand. What it is kept for:
processes and signals, the parser of HTTP, and the answers of applications.
"""

import errno
import logging
import os
import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gunicorn.workers import base
from gunicorn.workers.gthread import ThreadWorker
from gunicorn.workers.workertmp import WorkerTmp

from image_classifier.serving import settings, worker_state
from image_classifier.serving.connections import connection
from image_classifier.serving.connections.answer_socket import AnswerSocket
from image_classifier.serving.connections.connection import Connection
from image_classifier.serving.connections.connection_loop import ConnectionLoop
from image_classifier.serving.connections.limits import Limits
from image_classifier.serving.processes.threads import Threads
from image_classifier.serving.rejection import RejectedError

_ACCEPTED_AT_ONCE = 64
_PAUSE_SECONDS = 0.25
_CONNECTIONS, _OTHER_FILES = 4096, 256
_LACKING = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
"""Nothing can be accepted until something is closed."""
_BROKEN = (errno.EBADF, errno.EINVAL, errno.ENOTSOCK, errno.EFAULT)
"""The listener itself; every other error is that of one connection (accept(2))."""
_ROOM = 64
"""Idle connections that are closed at once in favour of new ones."""
_ACCEPT_PAUSE_SECONDS, _SILENCE_SECONDS = 0.5, 60.0
log = logging.getLogger("image_classifier.serving")


def connections_allowed() -> int:
    """Return how many connections a process may hold, at most 4096, after raising its limit of open files if it can."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _CONNECTIONS + _OTHER_FILES
    files = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    return max(files - _OTHER_FILES, 64)


@dataclass(frozen=True)
class _Answered:
    """What gunicorn wants to know of a connection when it writes an answer."""

    sock: Any
    client: Any
    server: Any


class _Heartbeat(WorkerTmp):  # type: ignore[misc, unused-ignore]
    """The file by whose time gunicorn knows that a process lives: in memory, so that no disk can fail it."""

    def __init__(self, _: object):
        self._tmp = os.fdopen(os.memfd_create("heartbeat"), "w+b", 0)


base.WorkerTmp = _Heartbeat


class Worker(ThreadWorker):  # type: ignore[misc, unused-ignore]
    """A process with one copy of the model and many threads."""

    front: ConnectionLoop
    _accept_again = _look_again = 0.0
    _said_at = float("-inf")

    def init_process(self) -> None:
        """Start; a process that finds too little of the system to start is started again, unlike a broken one."""
        try:
            super().init_process()
        except (OSError, MemoryError) as error:
            if self.booted:
                raise
            log.error("PlatformError: Process %d cannot start: %s.", os.getpid(), error)
            sys.exit(1)

    def run(self) -> None:
        """Serve until the end."""
        chosen = settings.read(os.environ)
        self._seconds_for_answers = chosen.body_seconds
        self._observe = getattr(self.wsgi, "extensions", {}).get("observe_rejection", _unobserved)
        limits = Limits(
            in_flight=chosen.in_flight,
            max_body_bytes=chosen.max_body_bytes,
            body_memory_bytes=chosen.body_memory_bytes,
            header_seconds=chosen.header_seconds,
            body_seconds=chosen.body_seconds,
            keep_alive_seconds=self.cfg.keepalive,
        )
        self.front = ConnectionLoop(self.poller, self.cfg, limits, self.enqueue_req, self._answer_here, self._observe)
        super().run()

    def get_thread_pool(self) -> Threads:
        """Return threads of our own: gunicorn's raise in the main loop when the system starts no more of them."""
        return Threads(self.cfg.threads)

    def accept(self, listener: Any) -> None:
        """Take the connections that have come; where there are several processes, one, so that each gets some."""
        if worker_state.others_ready():
            self.set_accept_enabled(False)
            return
        for _ in range(_ACCEPTED_AT_ONCE if self.cfg.workers == 1 else 1):
            if not self._accept_one(listener):
                return

    def _accept_one(self, listener: Any) -> bool:
        try:
            sock, client = listener.accept()
        except OSError as error:
            if error.errno in _BROKEN:
                raise
            if error.errno in _LACKING:
                return self._make_room(error)
            return error.errno != errno.EAGAIN
        self.front.add(sock, client, listener.getsockname())
        self.nr_conns = len(self.front.connections)
        return True

    def _make_room(self, error: OSError) -> bool:
        """Close idle connections, else pause, where the system has no file left for a new one; says which."""
        closed = self.front.make_room(_ROOM)
        now = time.monotonic()
        if now - self._said_at > _SILENCE_SECONDS:
            self._said_at = now
            log.warning("A connection cannot be accepted: %s. %d idle ones were closed.", error.strerror, closed)
        if not closed:
            # The listener stays readable: without a pause the main loop would do nothing but ask it.
            self._accept_again = now + _ACCEPT_PAUSE_SECONDS
            self.set_accept_enabled(self.alive)
        return closed > 0

    def set_accept_enabled(self, enabled: bool) -> None:
        """Begin or cease to accept connections; for good when the server shall end.

        A process that has no model yet leaves them to others that have theirs: it could only say 503. What the kernel
        has accepted by the end is still served. Later connections are rejected, where gunicorn would leave them waiting
        in its backlog until the process is gone.
        """
        paused = time.monotonic() < self._accept_again
        super().set_accept_enabled(enabled and not paused and not worker_state.others_ready())
        if not enabled and not self.alive:
            for listener in self.sockets:
                for _ in range(self.cfg.backlog):
                    if not self._accept_one(listener):
                        break
                listener.close()
            self.front.end()

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Serve what comes up, then do what is due."""
        busy = len(self.front.connections) > 0 or not self._accepting
        pause = 0.0 if self.front.is_busy else _PAUSE_SECONDS if busy else timeout
        super().wait_for_and_dispatch_events(min(timeout, pause))
        self.front.tick()
        self.nr_conns = len(self.front.connections)
        now = time.monotonic()
        if self.nr_conns >= self.worker_connections and now >= self._look_again:
            self._look_again = now + _PAUSE_SECONDS
            self.nr_conns -= self.front.make_room(_ROOM)

    def enqueue_req(self, conn: Connection) -> bool:
        """Let a thread answer a whole request; says whether there is one."""

        def answer() -> None:
            # The connection comes back whatever happens, in the main loop.
            keep = False
            try:
                keep = self.handle(conn)
            finally:
                self.method_queue.defer(self.front.finished, conn, keep)

        return self.tpool.submit(answer)  # type: ignore[no-any-return]

    def handle(self, conn: Connection) -> bool:
        """Answer a whole request, in a thread; says whether its connection can be kept."""
        # A client that does not read its answer holds the thread no longer than this.
        return self._respond(conn, AnswerSocket(conn.sock, self._seconds_for_answers))

    def _answer_here(self, conn: Connection) -> bool:
        # What the system does not take at once is not waited for.
        return self._respond(conn, conn.sock)

    def _respond(self, conn: Connection, sock: Any) -> bool:
        connection.serve(conn)
        request = conn.incoming.request
        try:
            return bool(self.handle_request(request, _Answered(sock, conn.client, conn.server)))
        except (OSError, StopIteration) as error:
            self.log.debug("A client went before it was answered: %s", error)
        except Exception as error:
            self.log.error("A request failed below the application.", exc_info=error)
            failed = RejectedError(500, "internal_error", "The request failed inside the server; its log says more.")
            conn.send(failed.as_bytes(False, self._observe(request, failed), conn.incoming.is_head))
        finally:
            connection.serve(None)
        return False


def _unobserved(request: Any, rejection: RejectedError) -> Mapping[str, str]:
    return {}
