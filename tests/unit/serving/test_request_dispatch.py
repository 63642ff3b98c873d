"""Dispatch of requests to threads, and responses of the main loop itself."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from image_classifier.serving.connections.connection import Connection, bind_to_thread, release_slot
from image_classifier.serving.connections.dispatcher import Dispatcher
from image_classifier.serving.connections.limits import SLOTLESS_THREADS
from tests.support.waiting import wait_until
from tests.unit.serving.main_loop import LIMITS, Loop, is_closed, request, response


@pytest.fixture
def loop() -> Iterator[Loop]:
    """A loop with one slot."""
    created = Loop()
    yield created
    created.close()


def test_slot_is_released_before_the_response_is_sent(loop: Loop) -> None:
    """Given one slot, released by a thread that still sends its response -> the next request gets it."""
    loop.client(request(b"one"))
    bind_to_thread(loop.dispatched[0])
    release_slot()
    bind_to_thread(None)
    loop.client(request(b"two"))
    assert [connection.reader.request.body.read() for connection in loop.dispatched] == [b"one", b"two"]


def test_other_paths_need_no_slot(loop: Loop) -> None:
    """Given no free slot -> a request for another path is dispatched."""
    loop.client(request())
    loop.client(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert [connection.reader.request.path for connection in loop.dispatched] == ["/invocations", "/metrics"]


@pytest.mark.parametrize("path", [b"/ping", b"/%70ing", b"http://x/ping", b"/ping?deep=1"])
def test_ping_is_answered_without_a_thread(loop: Loop, path: bytes) -> None:
    """Given no available thread -> /ping, in any spelling, is answered by the main loop."""
    loop.has_threads = False
    client = loop.client(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path)
    assert response(client) == b"pong"
    assert loop.dispatched == []


def test_pipelined_pings_do_not_starve_other_clients(loop: Loop) -> None:
    """Given 5,000 pipelined pings, more than Python's recursion limit -> all are answered, other clients in between."""
    client = loop.client(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n" * 5000)
    other = loop.client(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
    assert response(other) == b"pong"
    assert len(loop.pinged) < 5000
    for _ in range(5000):
        loop.run()
    assert len(loop.pinged) == 5001
    client.close()


def test_request_without_a_thread_gets_503_and_releases_its_slot(loop: Loop) -> None:
    """Given no thread -> 503 with Retry-After on a kept connection; once threads are available the slot is free."""
    loop.has_threads = False
    client = loop.client(request())
    received = response(client)
    assert received.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 1\r\n" in received
    assert b"limit of processes" in received
    assert not is_closed(client)
    loop.has_threads = True
    loop.client(request(b"later"))
    assert [connection.reader.request.body.read() for connection in loop.dispatched] == [b"later"]


@pytest.mark.parametrize(
    "path",
    ["/invocation%73", "/%69nvocations", "//invocations", "http://x/invocations", "/models/a%2Finvoke", "/models"],
)
def test_slots_are_counted_by_the_decoded_path(loop: Loop, path: str) -> None:
    """Given one slot, taken under another spelling of the path -> the next request for /invocations gets 503."""
    loop.client(request(path=path))
    assert len(loop.dispatched) == 1
    assert response(loop.client(request())).startswith(b"HTTP/1.1 503 ")


def test_other_methods_need_no_slot(loop: Loop) -> None:
    """Given no free slot -> GET /invocations is dispatched (and answered with 405) instead of getting 503."""
    loop.client(request())
    loop.client(b"GET /invocations HTTP/1.1\r\nHost: x\r\n\r\n")
    assert len(loop.dispatched) == 2


def test_requests_without_a_slot_share_some_threads(loop: Loop) -> None:
    """Given more requests for /metrics than threads for them -> the rest is queued, and /invocations is dispatched."""
    for _ in range(SLOTLESS_THREADS + 2):
        loop.client(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert len(loop.dispatched) == SLOTLESS_THREADS
    loop.client(request())
    assert len(loop.dispatched) == SLOTLESS_THREADS + 1
    loop.finish()
    assert len(loop.dispatched) == SLOTLESS_THREADS + 1
    assert loop.dispatched[-1].reader.request.path == "/metrics"


def test_request_queued_for_a_thread_times_out_with_503() -> None:
    """Given slow readers on all threads for /metrics -> one more request gets 503 at its deadline."""
    loop = Loop(replace(LIMITS, body_seconds=0.05))
    for _ in range(SLOTLESS_THREADS):
        loop.client(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    queued = loop.client(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")

    def rejected() -> bool:
        loop.run()
        return bool(loop.rejected)

    wait_until(rejected, 10, "it is rejected")
    assert response(queued).startswith(b"HTTP/1.1 503 ")
    loop.close()


def test_unforeseen_error_closes_one_connection_only(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an unforeseen error at one connection -> it is closed, and the next one is served."""

    def fail(dispatcher: Dispatcher, connection: Connection, queue_seconds: float) -> bool:
        raise MemoryError("no more")

    with monkeypatch.context() as failing:
        failing.setattr(Dispatcher, "dispatch", fail)
        client = loop.client(request())
    assert is_closed(client)
    loop.client(request(b"next"))
    assert [connection.reader.request.body.read() for connection in loop.dispatched] == [b"next"]
