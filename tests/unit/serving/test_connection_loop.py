"""The main loop's handling of connections: real sockets and a real poller, without threads and processes."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from image_classifier.serving.connections import connection_loop
from tests.support.waiting import wait_until
from tests.unit.serving.main_loop import BODY, LIMITS, Loop, is_closed, request, response


@pytest.fixture
def loop() -> Iterator[Loop]:
    """A loop with one slot."""
    created = Loop()
    yield created
    created.close()


def test_request_takes_a_thread_only_when_complete(loop: Loop) -> None:
    """Given a request in three pieces -> it is dispatched after the last one, with its body."""
    sent = request()
    client = loop.client(sent[:20])
    loop.run()
    loop.send(client, sent[20:-3])
    assert loop.dispatched == []
    loop.send(client, sent[-3:])
    assert loop.dispatched[0].reader.request.body.read() == BODY


def test_incomplete_body_holds_no_slot(loop: Loop) -> None:
    """Given one slot and ten incomplete bodies -> a complete request of another client gets the slot."""
    for _ in range(10):
        loop.client(request()[:-1])
    loop.client(request(b"other"))
    assert [connection.reader.request.body.read() for connection in loop.dispatched] == [b"other"]
    assert loop.rejected == []


@pytest.mark.parametrize(
    "sent", [b"HEAD /nothing HTTP/1.1\r\nHost: x\r\nExpect: more\r\n\r\n", b"HEAD / HTTP/1.1\r\n\r\n"]
)
def test_rejected_head_request_gets_no_body(loop: Loop, sent: bytes) -> None:
    """Given a HEAD request that the main loop rejects -> a header with Content-Length and no body."""
    received = response(loop.client(sent))
    assert received.startswith(b"HTTP/1.1 4")
    assert b"Content-Length: " in received
    assert received.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("name", ["Accept", "Content-Type", "X-Amzn-SageMaker-Custom-Attributes"])
def test_long_header_is_rejected_before_the_body(loop: Loop, name: str) -> None:
    """Given 1,025 bytes in a header that is parsed or sent back -> 431 that names it; 1,024 bytes are accepted."""
    head = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
    received = response(loop.client(head + f"{name}: {'a' * 1025}\r\n\r\n".encode()))
    assert received.startswith(b"HTTP/1.1 431 ")
    assert f"The header {name} has 1,025 bytes; at most 1,024 are allowed.".encode() in received
    loop.client(head + f"{name}: {'a' * 1024}\r\n\r\nx".encode())
    assert len(loop.dispatched) == 1


def test_repeated_header_lines_count_together(loop: Loop) -> None:
    """Given twelve Accept lines of 100 bytes -> 431, as for one line of that length."""
    lines = b"Accept: %s\r\n" % (b"a" * 100) * 12
    received = response(loop.client(b"POST /invocations HTTP/1.1\r\nHost: x\r\n" + lines + b"\r\n"))
    assert received.startswith(b"HTTP/1.1 431 ")


def test_idle_connections_are_evicted_before_slow_ones(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given two idle connections and half a request -> the idle ones are evicted first, the other once it is slow."""
    idle, started = [loop.client() for _ in range(2)], loop.client(request()[:-1])
    assert loop.connection_loop.make_room(10) == 2
    assert [is_closed(client) for client in (*idle, started)] == [True, True, False]
    assert loop.connection_loop.make_room(10) == 0
    monkeypatch.setattr(connection_loop, "SLOW_ARRIVAL_SECONDS", 0)
    assert loop.connection_loop.make_room(10) == 1
    started.settimeout(10)
    assert response(started).startswith(b"HTTP/1.1 503 ")
    assert is_closed(started)


def test_bodies_share_a_memory_budget(loop: Loop) -> None:
    """Given memory for one and a half large bodies -> the second is rejected by its header, a small one is accepted."""
    loop.client(request(b"x" * 700_000))
    loop.run()
    large = loop.client(request(b"", path="/other", content_length=700_000))
    small = loop.client(request(b"", path="/other", content_length=1000))
    assert b"use all of their 0 MB" in response(large)
    loop.send(small, b"x" * 1000)
    assert len(loop.dispatched) == 2
    loop.finish()
    loop.client(request(b"", path="/other", content_length=700_000))
    assert len(loop.rejected) == 1


def test_body_above_the_limit_is_rejected_by_its_header(loop: Loop) -> None:
    """Given a Content-Length above the limit -> 413 before the body arrives, and the connection is closed."""
    client = loop.client(request(b"", content_length=1_000_001))
    assert response(client).startswith(b"HTTP/1.1 413 ")
    assert is_closed(client)


def test_expect_continue_is_answered(loop: Loop) -> None:
    """Given `Expect: 100-continue` -> 100, then the body is read; a server at its limit sends only 503."""
    head = request(b"", content_length=10).replace(b"Host: x", b"Host: x\r\nExpect: 100-continue")
    client = loop.client(head)
    assert response(client) == b"HTTP/1.1 100 Continue\r\n\r\n"
    loop.send(client, BODY)
    assert len(loop.dispatched) == 1
    rejected = loop.client(head)
    assert response(rejected).startswith(b"HTTP/1.1 503 ")
    assert is_closed(rejected)


def test_pipelined_requests_are_handled_in_order(loop: Loop) -> None:
    """Given two pipelined requests and garbage -> the second follows the first, then 400 and the end of the stream."""
    client = loop.client(request(b"one") + request(b"two") + b"\0garbage")
    bodies = []
    for _ in range(2):
        bodies.append(loop.dispatched[0].reader.request.body.read())
        loop.finish()
    assert bodies == [b"one", b"two"]
    assert response(client).startswith(b"HTTP/1.1 400 ")
    assert is_closed(client)


@pytest.mark.parametrize(
    ("sent", "part"),
    [(b"", b""), (b"POST /invo", b"header"), (request()[:-1], b"body")],
    ids=["nothing", "half a header", "half a body"],
)
def test_slow_clients_time_out(sent: bytes, part: bytes) -> None:
    """Given no bytes, half a header or half a body at the timeout -> closed, the latter two after a 408."""
    loop = Loop(replace(LIMITS, header_seconds=0.05, body_seconds=0.05))
    client = loop.client(sent)

    def timed_out() -> bool:
        loop.run()
        return len(loop.connection_loop.connections) == 0 or bool(loop.rejected)

    wait_until(timed_out, 10, "it times out")
    last = response(client)
    assert last.startswith(b"HTTP/1.1 408 ") == bool(part)
    assert part in last
    client.close()
    loop.run()
    assert len(loop.connection_loop.connections) == 0
    loop.close()


@pytest.mark.parametrize("more", [b"", b"y"], ids=["silent", "sending"])
def test_lingering_connections_are_closed(monkeypatch: pytest.MonkeyPatch, more: bytes) -> None:
    """Given a client that got 408 but keeps its half open, silent or sending -> closed after the linger timeout."""
    monkeypatch.setattr("image_classifier.serving.connections.open_connections.LINGER_SECONDS", 0.05)
    loop = Loop(replace(LIMITS, body_seconds=0.05))
    client = loop.client(request()[:-1])

    def closed() -> bool:
        loop.run()
        if loop.rejected:
            with contextlib.suppress(ConnectionError):
                client.send(more)
        return len(loop.connection_loop.connections) == 0

    wait_until(closed, 10, "it is closed")
    assert response(client).startswith(b"HTTP/1.1 408 ")
    loop.close()


@pytest.mark.parametrize(("sent", "changed"), [(request()[:-1], "body_seconds"), (b"POST /invo", "header_seconds")])
def test_header_and_body_have_separate_timeouts(sent: bytes, changed: str) -> None:
    """Given a kept connection and a short timeout for the body or the header only -> half of that part gets 408."""
    loop = Loop(replace(LIMITS, **{changed: 0.05}))  # type: ignore[arg-type]
    client = loop.client(request())
    loop.finish()
    loop.send(client, sent)

    def rejected() -> bool:
        loop.run()
        return bool(loop.rejected)

    wait_until(rejected, 10, "it times out")
    assert response(client).startswith(b"HTTP/1.1 408 ")
    loop.close()


def test_drain_serves_started_requests_and_closes_idle_connections(loop: Loop) -> None:
    """Given half a request, a deferred retry and an idle client at shutdown -> the first two are answered."""
    started, idle = loop.client(request()[:-1]), loop.client()
    loop.client(request(b"first"))
    hammering = loop.client(request())
    loop.send(hammering, request())
    loop.connection_loop.drain()
    assert response(hammering).count(b"HTTP/1.1 503 ") == 2
    loop.finish()
    loop.send(started, request()[-1:])
    assert [connection.reader.request.body.read() for connection in loop.dispatched] == [BODY]
    loop.finish()

    def closed() -> bool:
        loop.run()
        return is_closed(idle)

    wait_until(closed, 10, "the idle connection is closed")
    assert is_closed(started)


def test_disconnected_clients_release_everything(loop: Loop) -> None:
    """Given connections closed before, during and after a request -> none is left, and their memory is released."""
    for sent in (b"", b"POST /inv", request(b"x" * 500_000)[:-1]):
        loop.client(sent)
    for client in loop.clients:
        client.close()
    loop.run()
    assert len(loop.connection_loop.connections) == 0
    loop.client(request(b"x" * 999_999))
    assert len(loop.dispatched) == 1
