"""In-flight requests: how many hold a slot, and how many threads serve the requests that need none."""

import time
from collections import deque
from collections.abc import Callable

from image_classifier.serving.connections.admission import RetryAfterEstimator
from image_classifier.serving.connections.connection import Connection, Stage
from image_classifier.serving.connections.limits import RESPONSES_IN_FLIGHT, SLOTLESS_THREADS


class Dispatcher:
    """Dispatch complete requests to threads; `submit` returns whether a thread was available.

    Requests without a slot share a fixed number of threads and queue for them in FIFO order: slow readers of /metrics
    or of the web UI take no thread from classification.
    """

    def __init__(self, in_flight: int, submit: Callable[[Connection], bool]):
        self._in_flight, self._submit = in_flight, submit
        self._with_slot: set[Connection] = set()
        self._without_slot: set[Connection] = set()
        self._queue: deque[Connection] = deque()
        self.retry_after = RetryAfterEstimator()

    @property
    def is_full(self) -> bool:
        """Whether every slot is taken."""
        # A slot is released before the response is sent, so that a client that has read it finds the slot free.
        held = sum(connection.needs_slot for connection in self._with_slot)
        return held >= self._in_flight or len(self._with_slot) >= self._in_flight + RESPONSES_IN_FLIGHT

    def dispatch(self, connection: Connection, queue_seconds: float) -> bool:
        """Submit a complete request, or queue it for up to `queue_seconds`; return False if there is no thread."""
        if not connection.needs_slot and len(self._without_slot) >= SLOTLESS_THREADS:
            connection.stage = Stage.QUEUED
            connection.set_deadline(queue_seconds)
            self._queue.append(connection)
            return True
        connection.stage, connection.deadline = Stage.HANDLED_BY_THREAD, float("inf")
        active = self._with_slot if connection.needs_slot else self._without_slot
        active.add(connection)
        if self._submit(connection):
            return True
        active.discard(connection)
        return False

    def complete(self, connection: Connection) -> bool:
        """Remove a request that is finished; return whether it held a slot."""
        self._without_slot.discard(connection)
        if connection not in self._with_slot:
            return False
        # From half of the slots on the server is saturated, so the rate is known before the first rejection.
        self.retry_after.slot_freed(time.monotonic(), 2 * len(self._with_slot) >= self._in_flight)
        self._with_slot.remove(connection)
        return True

    def next_queued(self) -> Connection | None:
        """Dequeue the first request for which a thread is available now."""
        return self._queue.popleft() if self._queue and len(self._without_slot) < SLOTLESS_THREADS else None

    def cancel_queued(self, connection: Connection) -> None:
        """Remove a request from the queue."""
        self._queue.remove(connection)
