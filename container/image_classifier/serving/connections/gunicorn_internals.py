"""Everything that uses gunicorn's private API; no other module imports gunicorn.

gunicorn documents its settings and server hooks. Its parser, threaded worker and arbiter have no such promise: what
this module uses of them is checked, attribute by attribute, by tests/unit/serving/test_gunicorn_internals.py, so that
an upgrade fails there with a sentence and not in production.
"""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gunicorn.errors import HaltServer
from gunicorn.http import errors as parse_errors
from gunicorn.http.body import ChunkedReader
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader
from gunicorn.workers import base
from gunicorn.workers.gthread import ThreadWorker
from gunicorn.workers.workertmp import WorkerTmp

__all__ = ["GunicornWorker", "HaltServer", "RequestHead", "hide_boot_failures", "is_stopping", "parse_errors"]

BOOT_FAILURE_MESSAGES = ("Worker (pid:%s) exited with code %s.", "Shutting down: %s", "Reason: %s")
"""Templates of the lines that gunicorn logs when a worker cannot start."""


class RequestHead(Request):  # type: ignore[misc, unused-ignore]
    """gunicorn's parsed request; its Connection header is read as the list that it is (RFC 9110, 7.6.1)."""

    def __init__(self, cfg: Any, header: bytes, client: Any, number: int):
        super().__init__(cfg, IterUnreader([header]), client, number)

    def values(self, name: str) -> list[str]:
        """Return the values of a header, one for each of its lines; `name` is in capitals."""
        return [value for found, value in self.headers if found == name]

    def should_close(self) -> bool:
        """Return whether the connection ends with the response."""
        if self.must_close:
            return True
        options = {option.strip().lower() for option in ",".join(self.values("CONNECTION")).split(",")}
        return "close" in options or (self.version <= (1, 0) and "keep-alive" not in options)

    @property
    def content_length(self) -> int | None:
        """Bytes of the body; None when it is chunked."""
        reader = self.body.reader
        return None if isinstance(reader, ChunkedReader) else reader.length

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits for `100 Continue` before it sends the body."""
        return bool(self._expected_100_continue)

    def continue_sent(self) -> None:
        """Mark the client's `Expect: 100-continue` as answered."""
        self._expected_100_continue = False


@dataclass(frozen=True)
class _ResponseTarget:
    """The attributes of a connection that gunicorn reads when it writes a response."""

    sock: Any
    client: Any
    server: Any


class _Heartbeat(WorkerTmp):  # type: ignore[misc, unused-ignore]
    """The heartbeat file by whose time gunicorn sees that a worker is alive; in memory, so that no disk can fail it."""

    def __init__(self, _: object):
        self._tmp = os.fdopen(os.memfd_create("heartbeat"), "w+b", 0)


base.WorkerTmp = _Heartbeat


class GunicornWorker(ThreadWorker):  # type: ignore[misc, unused-ignore]
    """gunicorn's threaded worker, with its private hooks and attributes under names of our own."""

    def make_thread_pool(self) -> Any:
        """Return the pool that `submit` uses: `submit(work)` returns whether a thread takes the work."""
        raise NotImplementedError

    def on_listener_readable(self, listener: Any) -> None:
        """Accept connections."""
        raise NotImplementedError

    def on_accept_change(self, enabled: bool) -> None:
        """Start or stop accepting, by `set_accepting`."""
        raise NotImplementedError

    def run_once(self, timeout: float) -> None:
        """Run one round of the main loop, by `poll`, within `timeout` seconds."""
        raise NotImplementedError

    def get_thread_pool(self) -> Any:
        """Replace gunicorn's executor."""
        return self.make_thread_pool()

    def accept(self, listener: Any) -> None:
        """Replace gunicorn's accept, which gives each connection a thread."""
        self.on_listener_readable(listener)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Pass on what gunicorn's main loop decides."""
        self.on_accept_change(enabled)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Replace one round of gunicorn's main loop."""
        self.run_once(timeout)

    def set_accepting(self, enabled: bool) -> None:
        """Start or stop polling the listeners."""
        super().set_accept_enabled(enabled)

    def poll(self, timeout: float) -> None:
        """Wait for events and call their handlers."""
        super().wait_for_and_dispatch_events(timeout)

    def submit(self, work: Callable[[], None]) -> bool:
        """Run work in a thread; return False if no thread is available."""
        return self.tpool.submit(work)  # type: ignore[no-any-return]

    def call_in_main_loop(self, function: Callable[..., None], *arguments: Any) -> None:
        """Call a function in the main loop's thread; thread-safe."""
        self.method_queue.defer(function, *arguments)

    def respond(self, request: Any, sock: Any, client: Any, server: Any) -> bool:
        """Run the application and write its response; return whether the connection can be kept."""
        return bool(self.handle_request(request, _ResponseTarget(sock, client, server)))

    def set_connection_count(self, connections: int) -> None:
        """Tell gunicorn's main loop how many connections are open; it stops accepting at `worker_connections`."""
        self.nr_conns = connections

    @property
    def is_at_connection_limit(self) -> bool:
        """Whether as many connections are open as are allowed."""
        return bool(self.nr_conns >= self.worker_connections)

    @property
    def is_accepting(self) -> bool:
        """Whether the listeners are polled."""
        return bool(self._accepting)

    @property
    def is_stopping(self) -> bool:
        """Whether the worker was asked to stop."""
        return not self.alive

    @property
    def listeners(self) -> list[Any]:
        """The listening sockets."""
        return self.sockets  # type: ignore[no-any-return]

    @property
    def selector(self) -> Any:
        """The selector of the main loop; each key's data is called with its file object."""
        return self.poller

    @property
    def application(self) -> Any:
        """The WSGI application."""
        return self.wsgi


def hide_boot_failures(server: Any) -> None:
    """Keep gunicorn's own lines about a failed start out of the log, so that the reason stays its last line."""

    def is_shown(record: logging.LogRecord) -> bool:
        return record.msg not in BOOT_FAILURE_MESSAGES

    server.log.error_log.addFilter(is_shown)


def wrap_spawn(server: Any, wrap: Callable[[Callable[[], object]], Callable[[], object]]) -> None:
    """Replace the method by which gunicorn's arbiter forks a worker."""
    server.spawn_worker = wrap(server.spawn_worker)


def is_stopping(server: Any) -> bool:
    """Return whether the server itself is shutting down."""
    return not server.LISTENERS
