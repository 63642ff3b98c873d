"""Clients that the main loop rejects because all slots are taken, and what it does with what they send next."""

import re
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from image_classifier.serving.connections import answering, connection_loop, rejections
from tests.support.waiting import wait_until
from tests.unit.serving.main_loop import BODY, LIMITS, Loop, answer, is_closed, request


@pytest.fixture
def loop() -> Iterator[Loop]:
    """A loop with one place."""
    found = Loop()
    yield found
    found.close()


def test_second_request_is_rejected_at_once_and_its_connection_kept(loop: Loop) -> None:
    """One place, taken -> the next request gets 503 with Retry-After before its body has come, and is kept."""
    loop.client(request())
    client = loop.client(request()[:-5])
    told = answer(client)
    assert told.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 1\r\n" in told
    assert b"Connection: keep-alive\r\n" in told
    assert loop.rejected == [("/invocations", 503, "busy")]
    loop.send(client, BODY[-5:])
    assert not is_closed(client)


def test_rejected_connection_is_still_read(loop: Loop) -> None:
    """A full server, and a connection that was just rejected -> /ping and other paths on it are answered at once."""
    loop.client(request())
    client = loop.client(request())
    assert answer(client).startswith(b"HTTP/1.1 503 ")
    loop.send(client, b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer(client) == b"pong"
    loop.send(client, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert loop.served[-1].incoming.request.path == "/metrics"


def test_request_that_is_held_back_is_answered_within_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that was told to come in 10 s and asks again at once -> 503 within 2 s, and what is left of the 10 s."""
    clock = Clock()
    monkeypatch.setattr(connection_loop, "time", clock)
    monkeypatch.setattr(answering, "time", clock)
    monkeypatch.setattr(rejections, "time", clock)
    loop = Loop(replace(LIMITS, in_flight=2))
    for _ in range(2):
        loop.client(request())
    for _ in range(2):
        clock.late += 7.9
        loop.finish()
        loop.client(request())
    client = loop.client(request())
    assert b"Retry-After: 10\r\n" in answer(client)
    loop.send(client, request())
    assert len(loop.rejected) == 1
    clock.late += 1.6
    loop.move()
    told = answer(client)
    assert told.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 9\r\n" in told
    loop.close()


def test_position_is_kept_by_clients_that_ask_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of two rejected clients asks again after the second one -> it still gets the first slot."""
    clock = Clock()
    monkeypatch.setattr(connection_loop, "time", clock)
    monkeypatch.setattr(answering, "time", clock)
    monkeypatch.setattr(rejections, "time", clock)
    loop = Loop(replace(LIMITS, in_flight=2))
    for _ in range(2):
        loop.client(request())
    for _ in range(2):
        clock.late += 7.9
        loop.finish()
        loop.client(request())
    first, second = loop.client(request()), loop.client(request())
    loop.send(second, request(b"second"))
    loop.send(first, request(b"first"))
    clock.late += 1.6
    loop.move()
    loop.send(second, request(b"second"))
    loop.send(first, request(b"first"))
    loop.finish()
    assert loop.served[-1].incoming.request.body.read() == b"first"
    loop.close()


def test_rejected_client_that_hammers_waits_for_a_place(loop: Loop) -> None:
    """A rejected client that asks again at once -> it is not answered before a place is free, and then served."""
    loop.client(request())
    hammering = loop.client(request())
    assert answer(hammering).startswith(b"HTTP/1.1 503 ")
    loop.send(hammering, request(b"again"))
    assert len(loop.rejected) == 1
    loop.finish()
    assert [connection.incoming.request.body.read() for connection in loop.served] == [b"again"]


def test_place_is_not_used_up_by_rejected_clients_that_do_not_ask(loop: Loop) -> None:
    """Three rejected clients of which the last asks again -> the place that gets free is its."""
    loop.client(request())
    rejected = [loop.client(request()) for _ in range(3)]
    loop.send(rejected[2], request(b"again"))
    loop.finish()
    assert [connection.incoming.request.body.read() for connection in loop.served] == [b"again"]


def test_rejected_client_is_heard_again_after_a_second(loop: Loop) -> None:
    """A rejected client that asks again while the place stays taken -> its second 503 comes 1 s later."""
    loop.client(request())
    client = loop.client(request())
    loop.send(client, request())

    def heard_again() -> bool:
        loop.move()
        return len(loop.rejected) == 2

    began = time.monotonic()
    wait_until(heard_again, 6, "a second rejection")
    assert time.monotonic() - began > 0.5
    assert answer(client).count(b"HTTP/1.1 503 ") == 2


def test_rejected_clients_are_told_when_there_will_be_a_place(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place that gets free every 0.8 s -> who is rejected first is told 1 s, the next one 2, and so on."""
    clock = Clock()
    monkeypatch.setattr(connection_loop, "time", clock)
    monkeypatch.setattr(answering, "time", clock)
    monkeypatch.setattr(rejections, "time", clock)
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


def test_pace_is_known_before_the_first_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four places, two taken and one free every 0.8 s, then a crowd -> the first rejected get 1, 2, 3 s at once."""
    clock = Clock()
    monkeypatch.setattr(connection_loop, "time", clock)
    monkeypatch.setattr(answering, "time", clock)
    monkeypatch.setattr(rejections, "time", clock)
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
