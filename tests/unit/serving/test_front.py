"""What the main loop does with connections: real sockets and a real poller, without threads and processes."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from image_classifier.serving.connections import connection_loop
from tests.support.waiting import wait_until
from tests.unit.serving.main_loop import BODY, LIMITS, Loop, answer, is_closed, request


@pytest.fixture
def loop() -> Iterator[Loop]:
    """A loop with one place."""
    found = Loop()
    yield found
    found.close()


def test_request_takes_a_thread_only_when_it_is_whole(loop: Loop) -> None:
    """A request in three pieces -> nothing is served before the last one; then its body is there."""
    sent = request()
    client = loop.client(sent[:20])
    loop.move()
    loop.send(client, sent[20:-3])
    assert loop.served == []
    loop.send(client, sent[-3:])
    assert loop.served[0].incoming.request.body.read() == BODY


def test_slow_body_holds_no_place(loop: Loop) -> None:
    """One place, ten bodies on their way -> a whole request of another client gets it."""
    for _ in range(10):
        loop.client(request()[:-1])
    loop.client(request(b"other"))
    assert [connection.incoming.request.body.read() for connection in loop.served] == [b"other"]
    assert loop.rejected == []


@pytest.mark.parametrize(
    "sent", [b"HEAD /nothing HTTP/1.1\r\nHost: x\r\nExpect: more\r\n\r\n", b"HEAD / HTTP/1.1\r\n\r\n"]
)
def test_answers_to_head_have_no_body(loop: Loop, sent: bytes) -> None:
    """HEAD requests that are rejected by the main loop -> a header with the length, and not a byte behind it."""
    told = answer(loop.client(sent))
    assert told.startswith(b"HTTP/1.1 4")
    assert b"Content-Length: " in told
    assert told.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("name", ["Accept", "Content-Type", "X-Amzn-SageMaker-Custom-Attributes"])
def test_long_header_is_rejected_before_the_body(loop: Loop, name: str) -> None:
    """1,025 bytes in one of the headers that are parsed or sent back -> 431 that names it; 1,024 are served."""
    head = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
    told = answer(loop.client(head + f"{name}: {'a' * 1025}\r\n\r\n".encode()))
    assert told.startswith(b"HTTP/1.1 431 ")
    assert f"The header {name} has 1,025 bytes; at most 1,024 are allowed.".encode() in told
    loop.client(head + f"{name}: {'a' * 1024}\r\n\r\nx".encode())
    assert len(loop.served) == 1


def test_long_header_may_not_come_in_several_lines(loop: Loop) -> None:
    """Twelve Accept lines of 100 bytes -> 431, as for one line of their length."""
    lines = b"Accept: %s\r\n" % (b"a" * 100) * 12
    told = answer(loop.client(b"POST /invocations HTTP/1.1\r\nHost: x\r\n" + lines + b"\r\n"))
    assert told.startswith(b"HTTP/1.1 431 ")


def test_room_is_made_by_closing_what_is_idle(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two idle connections and half a request -> room comes from the idle ones, then from the other when it is slow."""
    idle, begun = [loop.client() for _ in range(2)], loop.client(request()[:-1])
    assert loop.front.make_room(10) == 2
    assert [is_closed(client) for client in (*idle, begun)] == [True, True, False]
    assert loop.front.make_room(10) == 0
    monkeypatch.setattr(connection_loop, "SLOW_SECONDS", 0)
    assert loop.front.make_room(10) == 1
    begun.settimeout(10)
    assert answer(begun).startswith(b"HTTP/1.1 503 ")
    assert is_closed(begun)


def test_bodies_share_a_budget(loop: Loop) -> None:
    """Room for one large body and a half -> the second is rejected by its header, a small one is not."""
    loop.client(request(b"x" * 700_000))
    loop.move()
    large = loop.client(request(b"", path="/other", announced=700_000))
    small = loop.client(request(b"", path="/other", announced=1000))
    assert b"take all of the 0 MB" in answer(large)
    loop.send(small, b"x" * 1000)
    assert len(loop.served) == 2
    loop.finish()
    loop.client(request(b"", path="/other", announced=700_000))
    assert len(loop.rejected) == 1


def test_larger_body_than_is_allowed_is_rejected_by_its_header(loop: Loop) -> None:
    """A body announced as too large -> 413 before it has come, and the connection closed."""
    client = loop.client(request(b"", announced=1_000_001))
    assert answer(client).startswith(b"HTTP/1.1 413 ")
    assert is_closed(client)


def test_client_that_waits_for_leave_gets_it(loop: Loop) -> None:
    """`Expect: 100-continue` -> leave to go on, then the body is taken; a busy server answers with 503 alone."""
    head = request(b"", announced=10).replace(b"Host: x", b"Host: x\r\nExpect: 100-continue")
    client = loop.client(head)
    assert answer(client) == b"HTTP/1.1 100 Continue\r\n\r\n"
    loop.send(client, BODY)
    assert len(loop.served) == 1
    rejected = loop.client(head)
    assert answer(rejected).startswith(b"HTTP/1.1 503 ")
    assert is_closed(rejected)


def test_requests_in_one_go_are_served_one_after_the_other(loop: Loop) -> None:
    """Two requests and garbage in one go -> the second is served after the first, then 400 and the end."""
    client = loop.client(request(b"one") + request(b"two") + b"\0garbage")
    bodies = []
    for _ in range(2):
        bodies.append(loop.served[0].incoming.request.body.read())
        loop.finish()
    assert bodies == [b"one", b"two"]
    assert answer(client).startswith(b"HTTP/1.1 400 ")
    assert is_closed(client)


@pytest.mark.parametrize(
    ("sent", "told"),
    [(b"", b""), (b"POST /invo", b"header"), (request()[:-1], b"body")],
    ids=["nothing", "half a header", "half a body"],
)
def test_slow_clients_are_sent_away(sent: bytes, told: bytes) -> None:
    """Nothing, half a header, half a body in the time there is for them -> closed, the latter two with a 408."""
    loop = Loop(replace(LIMITS, header_seconds=0.05, body_seconds=0.05))
    client = loop.client(sent)

    def answered() -> bool:
        loop.move()
        return len(loop.front.connections) == 0 or bool(loop.rejected)

    wait_until(answered, 10, "it is sent away")
    last = answer(client)
    assert last.startswith(b"HTTP/1.1 408 ") == bool(told)
    assert told in last
    client.close()
    loop.move()
    assert len(loop.front.connections) == 0
    loop.close()


@pytest.mark.parametrize("more", [b"", b"y"], ids=["silent", "sending"])
def test_clients_that_do_not_hang_up_are_closed(monkeypatch: pytest.MonkeyPatch, more: bytes) -> None:
    """A client that got 408, keeps its end open and perhaps sends a byte at times -> closed in the time for that."""
    monkeypatch.setattr("image_classifier.serving.connections.open_connections.CLOSING_SECONDS", 0.05)
    loop = Loop(replace(LIMITS, body_seconds=0.05))
    client = loop.client(request()[:-1])

    def closed() -> bool:
        loop.move()
        if loop.rejected:
            with contextlib.suppress(ConnectionError):
                client.send(more)
        return len(loop.front.connections) == 0

    wait_until(closed, 10, "it is closed")
    assert answer(client).startswith(b"HTTP/1.1 408 ")
    loop.close()


@pytest.mark.parametrize(("sent", "changed"), [(request()[:-1], "body_seconds"), (b"POST /invo", "header_seconds")])
def test_each_part_of_a_request_has_its_own_time(sent: bytes, changed: str) -> None:
    """A kept connection, and little time for a body or for a header alone -> half of it gets 408."""
    loop = Loop(replace(LIMITS, **{changed: 0.05}))  # type: ignore[arg-type]
    client = loop.client(request())
    loop.finish()
    loop.send(client, sent)

    def rejected() -> bool:
        loop.move()
        return bool(loop.rejected)

    wait_until(rejected, 10, "it is sent away")
    assert answer(client).startswith(b"HTTP/1.1 408 ")
    loop.close()


def test_end_serves_what_has_begun_and_closes_what_is_idle(loop: Loop) -> None:
    """The end, with half a request, a rejected client that asks again and an idle one -> both answered, it closed."""
    begun, idle = loop.client(request()[:-1]), loop.client()
    loop.client(request(b"first"))
    hammering = loop.client(request())
    loop.send(hammering, request())
    loop.front.end()
    assert answer(hammering).count(b"HTTP/1.1 503 ") == 2
    loop.finish()
    loop.send(begun, request()[-1:])
    assert [connection.incoming.request.body.read() for connection in loop.served] == [BODY]
    loop.finish()

    def gone() -> bool:
        loop.move()
        return is_closed(idle)

    wait_until(gone, 10, "the idle connection is closed")
    assert is_closed(begun)


def test_clients_that_hang_up_leave_nothing_behind(loop: Loop) -> None:
    """Connections closed before, in and after a request -> none is left, and all bytes are given back."""
    for sent in (b"", b"POST /inv", request(b"x" * 500_000)[:-1]):
        loop.client(sent)
    for client in loop.clients:
        client.close()
    loop.move()
    assert len(loop.front.connections) == 0
    loop.client(request(b"x" * 999_999))
    assert len(loop.served) == 1
