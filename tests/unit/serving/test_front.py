"""What the main loop does with connections: real sockets and a real poller, without threads and processes."""

import re
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from image_classifier.serving.connections import front
from image_classifier.serving.connections.connection import give_place_back, serve
from tests.unit.serving.main_loop import BODY, LIMITS, Loop, answer, is_closed, request
from tests.waiting import wait_until


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
    assert loop.refused == []


def test_second_request_is_refused_at_once_and_its_connection_kept(loop: Loop) -> None:
    """One place, taken -> the next request gets 503 with Retry-After before its body has come, and is kept."""
    loop.client(request())
    client = loop.client(request()[:-5])
    told = answer(client)
    assert told.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 1\r\n" in told
    assert b"Connection: keep-alive\r\n" in told
    assert loop.refused == [("/invocations", 503, "busy")]
    loop.send(client, BODY[-5:])
    assert not is_closed(client)


def test_place_is_free_before_the_answer_has_gone(loop: Loop) -> None:
    """One place, given back by a thread that still sends the answer -> the next request gets it."""
    loop.client(request(b"one"))
    serve(loop.served[0])
    give_place_back()
    serve(None)
    loop.client(request(b"two"))
    assert [connection.incoming.request.body.read() for connection in loop.served] == [b"one", b"two"]


def test_other_paths_need_no_place(loop: Loop) -> None:
    """One place, taken -> /ping is given to a thread all the same."""
    loop.client(request())
    loop.client(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
    assert [connection.incoming.request.path for connection in loop.served] == ["/invocations", "/ping"]


def test_refused_client_that_hammers_waits_for_a_place(loop: Loop) -> None:
    """A refused client that asks again at once -> it is not answered before a place is free, and then served."""
    loop.client(request())
    hammering = loop.client(request())
    assert answer(hammering).startswith(b"HTTP/1.1 503 ")
    loop.send(hammering, request(b"again"))
    assert len(loop.refused) == 1
    loop.finish()
    assert [connection.incoming.request.body.read() for connection in loop.served] == [b"again"]


def test_place_is_not_used_up_by_refused_clients_that_do_not_ask(loop: Loop) -> None:
    """Three refused clients of which the last asks again -> the place that gets free is its."""
    loop.client(request())
    refused = [loop.client(request()) for _ in range(3)]
    loop.send(refused[2], request(b"again"))
    loop.finish()
    assert [connection.incoming.request.body.read() for connection in loop.served] == [b"again"]


def test_refused_client_is_heard_again_after_a_second(loop: Loop) -> None:
    """A refused client that asks again while the place stays taken -> its second 503 comes 1 s later."""
    loop.client(request())
    client = loop.client(request())
    loop.send(client, request())

    def heard_again() -> bool:
        loop.move()
        return len(loop.refused) == 2

    began = time.monotonic()
    wait_until(heard_again, 6, "a second refusal")
    assert time.monotonic() - began > 0.5
    assert answer(client).count(b"HTTP/1.1 503 ") == 2


def test_refused_clients_are_told_when_there_will_be_a_place(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place that gets free every 0.8 s -> who is refused first is told 1 s, the next one 2, and so on."""
    clock = Clock()
    monkeypatch.setattr(front, "time", clock)
    loop.client(request())
    for client in [loop.client(request()) for _ in range(2)]:
        assert b"Retry-After: 1\r\n" in answer(client)
        loop.send(client, request())
    for _ in range(2):
        clock.late += 0.78
        loop.finish()
    assert len(loop.served) == 1
    told = [re.search(rb"Retry-After: (\d+)", answer(loop.client(request()))) for _ in range(6)]
    assert [int(found[1]) for found in told if found] == [1, 2, 3, 4, 5, 6]


def test_pace_is_known_before_the_first_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four places, two taken and one free every 0.8 s, then a crowd -> the first refused are told 1, 2, 3 s at once."""
    clock = Clock()
    monkeypatch.setattr(front, "time", clock)
    loop = Loop(replace(LIMITS, in_flight=4))
    try:
        for _ in range(2):
            loop.client(request())
        for _ in range(3):
            clock.late += 0.78
            loop.finish()
            loop.client(request())
        for _ in range(2):
            loop.client(request())
        told = [re.search(rb"Retry-After: (\d+)", answer(loop.client(request()))) for _ in range(3)]
        assert [int(found[1]) for found in told if found] == [1, 2, 3]
    finally:
        loop.close()


class Clock:
    """The monotonic clock, later by some seconds."""

    late = 0.0

    def monotonic(self) -> float:
        """Return seconds."""
        return time.monotonic() + self.late


def test_bodies_share_a_budget(loop: Loop) -> None:
    """Room for one large body and a half -> the second is refused by its header, a small one is not."""
    loop.client(request(b"x" * 700_000))
    loop.move()
    large = loop.client(request(b"", path="/models", announced=700_000))
    small = loop.client(request(b"", path="/models", announced=1000))
    assert b"take all of the 0 MB" in answer(large)
    loop.send(small, b"x" * 1000)
    assert len(loop.served) == 2
    loop.finish()
    loop.client(request(b"", path="/models", announced=700_000))
    assert len(loop.refused) == 1


def test_larger_body_than_is_allowed_is_refused_by_its_header(loop: Loop) -> None:
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
    refused = loop.client(head)
    assert answer(refused).startswith(b"HTTP/1.1 503 ")
    assert is_closed(refused)


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
        return len(loop.front.connections) == 0 or bool(loop.refused)

    wait_until(answered, 10, "it is sent away")
    last = answer(client)
    assert last.startswith(b"HTTP/1.1 408 ") == bool(told)
    assert told in last
    client.close()
    loop.move()
    assert len(loop.front.connections) == 0
    loop.close()


@pytest.mark.parametrize(("sent", "changed"), [(request()[:-1], "body_seconds"), (b"POST /invo", "header_seconds")])
def test_each_part_of_a_request_has_its_own_time(sent: bytes, changed: str) -> None:
    """A kept connection, and little time for a body or for a header alone -> half of it gets 408."""
    loop = Loop(replace(LIMITS, **{changed: 0.05}))  # type: ignore[arg-type]
    client = loop.client(request())
    loop.finish()
    loop.send(client, sent)

    def refused() -> bool:
        loop.move()
        return bool(loop.refused)

    wait_until(refused, 10, "it is sent away")
    assert answer(client).startswith(b"HTTP/1.1 408 ")
    loop.close()


def test_end_serves_what_has_begun_and_closes_what_is_idle(loop: Loop) -> None:
    """The end, with half a request, a refused client that asks again and an idle one -> both answered, it closed."""
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
