"""Clients that are rejected because all slots are taken, and their later requests."""

import re
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from image_classifier.serving.connections import connection_loop, dispatcher, rejection_policy
from tests.support.waiting import wait_until
from tests.unit.serving.main_loop import BODY, LIMITS, Loop, is_closed, request, response


@pytest.fixture
def loop() -> Iterator[Loop]:
    """A loop with one slot."""
    created = Loop()
    yield created
    created.close()


def test_request_beyond_the_limit_is_rejected_immediately_and_its_connection_kept(loop: Loop) -> None:
    """Given no free slot -> the next request gets 503 with Retry-After before its body arrives, and stays connected."""
    loop.client(request())
    client = loop.client(request()[:-5])
    received = response(client)
    assert received.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 1\r\n" in received
    assert b"Connection: keep-alive\r\n" in received
    assert loop.rejected == [("/invocations", 503, "busy")]
    loop.send(client, BODY[-5:])
    assert not is_closed(client)


def test_rejected_connection_is_still_read(loop: Loop) -> None:
    """Given a connection that was just rejected -> /ping and other paths on it are answered immediately."""
    loop.client(request())
    client = loop.client(request())
    assert response(client).startswith(b"HTTP/1.1 503 ")
    loop.send(client, b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
    assert response(client) == b"pong"
    loop.send(client, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert loop.dispatched[-1].reader.request.path == "/metrics"


def test_deferred_request_is_answered_within_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given Retry-After 10 and a client that retries immediately -> 503 within 2 s with the remaining seconds."""
    clock = Clock()
    for module in (connection_loop, dispatcher, rejection_policy):
        monkeypatch.setattr(module, "time", clock)
    loop = Loop(replace(LIMITS, in_flight=2))
    for _ in range(2):
        loop.client(request())
    for _ in range(2):
        clock.advance += 7.9
        loop.finish()
        loop.client(request())
    client = loop.client(request())
    assert b"Retry-After: 10\r\n" in response(client)
    loop.send(client, request())
    assert len(loop.rejected) == 1
    clock.advance += 1.6
    loop.run()
    received = response(client)
    assert received.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 9\r\n" in received
    loop.close()


def test_clients_that_retry_too_early_keep_their_position(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given two rejected clients, of which the first retries last -> it still gets the first free slot."""
    clock = Clock()
    for module in (connection_loop, dispatcher, rejection_policy):
        monkeypatch.setattr(module, "time", clock)
    loop = Loop(replace(LIMITS, in_flight=2))
    for _ in range(2):
        loop.client(request())
    for _ in range(2):
        clock.advance += 7.9
        loop.finish()
        loop.client(request())
    first, second = loop.client(request()), loop.client(request())
    loop.send(second, request(b"second"))
    loop.send(first, request(b"first"))
    clock.advance += 1.6
    loop.run()
    loop.send(second, request(b"second"))
    loop.send(first, request(b"first"))
    loop.finish()
    assert loop.dispatched[-1].reader.request.body.read() == b"first"
    loop.close()


def test_hammering_client_is_deferred_until_a_slot_is_free(loop: Loop) -> None:
    """Given a rejected client that retries immediately -> its request is deferred, and served when a slot is free."""
    loop.client(request())
    hammering = loop.client(request())
    assert response(hammering).startswith(b"HTTP/1.1 503 ")
    loop.send(hammering, request(b"again"))
    assert len(loop.rejected) == 1
    loop.finish()
    assert [connection.reader.request.body.read() for connection in loop.dispatched] == [b"again"]


def test_free_slot_goes_to_a_client_that_retries(loop: Loop) -> None:
    """Given three rejected clients, of which only the last retries -> it gets the free slot."""
    loop.client(request())
    rejected = [loop.client(request()) for _ in range(3)]
    loop.send(rejected[2], request(b"again"))
    loop.finish()
    assert [connection.reader.request.body.read() for connection in loop.dispatched] == [b"again"]


def test_deferred_client_gets_its_next_503_after_a_second(loop: Loop) -> None:
    """Given a rejected client that retries while the slot stays taken -> its second 503 follows after 1 s."""
    loop.client(request())
    client = loop.client(request())
    loop.send(client, request())

    def rejected_again() -> bool:
        loop.run()
        return len(loop.rejected) == 2

    began = time.monotonic()
    wait_until(rejected_again, 6, "a second rejection")
    assert time.monotonic() - began > 0.5
    assert response(client).count(b"HTTP/1.1 503 ") == 2


def test_retry_after_predicts_the_next_free_slots(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a slot freed every 0.8 s -> the first rejected client gets Retry-After 1, the next one 2, and so on."""
    clock = Clock()
    for module in (connection_loop, dispatcher, rejection_policy):
        monkeypatch.setattr(module, "time", clock)
    loop.client(request())
    for client in [loop.client(request()) for _ in range(2)]:
        assert b"Retry-After: 1\r\n" in response(client)
        loop.send(client, request())
    for _ in range(2):
        clock.advance += 0.78
        loop.finish()
    assert len(loop.dispatched) == 1
    received = [re.search(rb"Retry-After: (\d+)", response(loop.client(request()))) for _ in range(6)]
    assert [int(found[1]) for found in received if found] == [1, 2, 3, 4, 5, 6]


def test_retry_after_is_known_before_the_first_rejection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given half of the slots taken and one freed every 0.8 s, then a burst -> Retry-After 1, 2, 3 from the start."""
    clock = Clock()
    for module in (connection_loop, dispatcher, rejection_policy):
        monkeypatch.setattr(module, "time", clock)
    loop = Loop(replace(LIMITS, in_flight=4))
    try:
        for _ in range(2):
            loop.client(request())
        for _ in range(3):
            clock.advance += 0.78
            loop.finish()
            loop.client(request())
        for _ in range(2):
            loop.client(request())
        received = [re.search(rb"Retry-After: (\d+)", response(loop.client(request()))) for _ in range(3)]
        assert [int(found[1]) for found in received if found] == [1, 2, 3]
    finally:
        loop.close()


class Clock:
    """The monotonic clock, advanced by some seconds."""

    advance = 0.0

    def monotonic(self) -> float:
        """Return seconds."""
        return time.monotonic() + self.advance
