"""Which requests the main loop hands to threads, when, and what it answers without one."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from image_classifier.serving.connections.answering import Answering
from image_classifier.serving.connections.connection import Connection, give_place_back, serve
from image_classifier.serving.connections.limits import OTHERS_AT_ONCE
from tests.support.waiting import wait_until
from tests.unit.serving.main_loop import LIMITS, Loop, answer, is_closed, request


@pytest.fixture
def loop() -> Iterator[Loop]:
    """A loop with one place."""
    found = Loop()
    yield found
    found.close()


def test_place_is_free_before_the_answer_has_gone(loop: Loop) -> None:
    """One place, given back by a thread that still sends the answer -> the next request gets it."""
    loop.client(request(b"one"))
    serve(loop.served[0])
    give_place_back()
    serve(None)
    loop.client(request(b"two"))
    assert [connection.incoming.request.body.read() for connection in loop.served] == [b"one", b"two"]


def test_other_paths_need_no_slot(loop: Loop) -> None:
    """One slot, taken -> a request for another path is given to a thread all the same."""
    loop.client(request())
    loop.client(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert [connection.incoming.request.path for connection in loop.served] == ["/invocations", "/metrics"]


@pytest.mark.parametrize("path", [b"/ping", b"/%70ing", b"http://x/ping", b"/ping?deep=1"])
def test_ping_is_answered_without_a_thread(loop: Loop, path: bytes) -> None:
    """Not a thread to be had -> /ping, however it is written, is answered by the main loop."""
    loop.has_threads = False
    client = loop.client(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path)
    assert answer(client) == b"pong"
    assert loop.served == []


def test_many_pings_in_one_go_are_answered_one_after_the_other(loop: Loop) -> None:
    """5,000 pings in one go, deeper than Python's stack -> each is answered, and other clients in between."""
    client = loop.client(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n" * 5000)
    other = loop.client(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer(other) == b"pong"
    assert len(loop.pinged) < 5000
    for _ in range(5000):
        loop.move()
    assert len(loop.pinged) == 5001
    client.close()


def test_request_without_a_thread_gets_503_and_gives_its_slot_back(loop: Loop) -> None:
    """No thread can be started -> 503 with Retry-After and the connection kept; with threads again the slot is free."""
    loop.has_threads = False
    client = loop.client(request())
    told = answer(client)
    assert told.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 1\r\n" in told
    assert b"limit of processes" in told
    assert not is_closed(client)
    loop.has_threads = True
    loop.client(request(b"later"))
    assert [connection.incoming.request.body.read() for connection in loop.served] == [b"later"]


@pytest.mark.parametrize(
    "path",
    ["/invocation%73", "/%69nvocations", "//invocations", "http://x/invocations", "/models/a%2Finvoke", "/models"],
)
def test_slots_are_counted_by_the_decoded_path(loop: Loop, path: str) -> None:
    """One slot, taken under another spelling of a path -> the next request for /invocations gets 503."""
    loop.client(request(path=path))
    assert len(loop.served) == 1
    assert answer(loop.client(request())).startswith(b"HTTP/1.1 503 ")


def test_other_methods_need_no_slot(loop: Loop) -> None:
    """One slot, taken -> GET /invocations is given to a thread, which answers 405, instead of 503."""
    loop.client(request())
    loop.client(b"GET /invocations HTTP/1.1\r\nHost: x\r\n\r\n")
    assert len(loop.served) == 2


def test_requests_without_a_slot_share_some_threads(loop: Loop) -> None:
    """More requests for /metrics than threads for them -> the rest waits for one, and /invocations is still served."""
    for _ in range(OTHERS_AT_ONCE + 2):
        loop.client(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert len(loop.served) == OTHERS_AT_ONCE
    loop.client(request())
    assert len(loop.served) == OTHERS_AT_ONCE + 1
    loop.finish()
    assert len(loop.served) == OTHERS_AT_ONCE + 1
    assert loop.served[-1].incoming.request.path == "/metrics"


def test_request_that_waits_for_a_thread_too_long_gets_503() -> None:
    """All threads for /metrics held by slow readers -> one more gets 503 when its time is over."""
    loop = Loop(replace(LIMITS, body_seconds=0.05))
    for _ in range(OTHERS_AT_ONCE):
        loop.client(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    late = loop.client(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")

    def rejected() -> bool:
        loop.move()
        return bool(loop.rejected)

    wait_until(rejected, 10, "it is rejected")
    assert answer(late).startswith(b"HTTP/1.1 503 ")
    loop.close()


def test_failure_inside_closes_one_connection_alone(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unforeseen error at one connection -> that one is closed, and the next one served."""

    def fail(answering: Answering, connection: Connection, patience: float) -> bool:
        raise MemoryError("no more")

    with monkeypatch.context() as failing:
        failing.setattr(Answering, "begin", fail)
        client = loop.client(request())
    assert is_closed(client)
    loop.client(request(b"next"))
    assert [connection.incoming.request.body.read() for connection in loop.served] == [b"next"]
