"""The requests that are being answered: how many have a slot, and how many threads there are for all others."""

import time
from collections import deque
from collections.abc import Callable

from image_classifier.serving.connections.admission import RetryAfterEstimator
from image_classifier.serving.connections.connection import Connection, Stage
from image_classifier.serving.connections.limits import ANSWERS_ON_THEIR_WAY, OTHERS_AT_ONCE


class Answering:
    """Hands whole requests to threads, by `answer`, which says whether there is a thread.

    Requests that need no slot share some threads, and wait for one in their order: slow readers of /metrics or of a
    page take nothing from those that classify.
    """

    def __init__(self, in_flight: int, answer: Callable[[Connection], bool]):
        self._in_flight, self._answer = in_flight, answer
        self._with_slot: set[Connection] = set()
        self._others: set[Connection] = set()
        self._queued: deque[Connection] = deque()
        self.pace = RetryAfterEstimator()

    @property
    def is_full(self) -> bool:
        """Whether there is no slot left."""
        # A slot is given back before the answer is sent, so that a client that has read it finds the slot free.
        held = sum(connection.needs_slot for connection in self._with_slot)
        return held >= self._in_flight or len(self._with_slot) >= self._in_flight + ANSWERS_ON_THEIR_WAY

    def begin(self, connection: Connection, patience: float) -> bool:
        """Hand a whole request over, or let it wait so many seconds for a thread; says whether there is a thread."""
        if not connection.needs_slot and len(self._others) >= OTHERS_AT_ONCE:
            connection.stage = Stage.QUEUED
            connection.wait(patience)
            self._queued.append(connection)
            return True
        connection.stage, connection.deadline = Stage.SERVED, float("inf")
        among = self._with_slot if connection.needs_slot else self._others
        among.add(connection)
        if self._answer(connection):
            return True
        among.discard(connection)
        return False

    def end(self, connection: Connection) -> bool:
        """Count a request no more; says whether it had a slot."""
        self._others.discard(connection)
        if connection not in self._with_slot:
            return False
        # With half of the slots taken nothing is idle, and the pace is known before the first request is rejected.
        self.pace.freed(time.monotonic(), 2 * len(self._with_slot) >= self._in_flight)
        self._with_slot.remove(connection)
        return True

    def next_queued(self) -> Connection | None:
        """Take out the first request that waits and that there is a thread for now."""
        return self._queued.popleft() if self._queued and len(self._others) < OTHERS_AT_ONCE else None

    def stop_waiting(self, connection: Connection) -> None:
        """Take out a request that waits."""
        self._queued.remove(connection)
