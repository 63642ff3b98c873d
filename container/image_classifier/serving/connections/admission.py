"""Admission control and FIFO scheduling. Requests beyond the limit are rejected immediately instead of queueing."""

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from image_classifier.serving.connections import connection
from image_classifier.serving.connections.limits import MAX_RETRY_AFTER
from image_classifier.serving.rejection import RejectedError

_WINDOW = 16
"""Number of recently freed slots that dominate the average."""
_MARGIN = 1.25
"""Allowance for a varying rate: a client that retries a moment too early is rejected again, behind all others."""


def busy(limit: int, retry_after: int = 1) -> RejectedError:
    """Return the rejection of a request beyond the limit: 503 with Retry-After."""
    return _rejection(
        f"The server is at its limit of {limit} in-flight requests. Retry in {retry_after} s.", retry_after
    )


def no_memory(limit: int, retry_after: int = 1) -> RejectedError:
    """Return the rejection of a body that exceeds the memory budget of bodies: 503 with Retry-After."""
    message = f"The bodies of in-flight requests use all of their {limit // 2**20} MB. Retry in {retry_after} s."
    return _rejection(message, retry_after)


def no_thread(retry_after: int = 1) -> RejectedError:
    """Return the rejection of a request for which no thread can be started: 503 with Retry-After."""
    message = (
        f"The server cannot start another thread, and all its threads are in use. Retry in {retry_after} s. "
        "If this lasts, raise the container's limit of processes (pids)."
    )
    return _rejection(message, retry_after)


def too_slow_for_others() -> RejectedError:
    """Return the rejection of a slowly arriving request that is evicted in favour of new connections: 503."""
    return _rejection(
        "The server is at its limit of connections, and this request arrives too slowly. Retry in 1 s.", 1
    )


def _rejection(message: str, retry_after: int) -> RejectedError:
    return RejectedError(503, "busy", message, {"Retry-After": str(retry_after)})


@dataclass(frozen=True, eq=False)
class _Waiter:
    concurrency: int
    granted: threading.Lock = field(default_factory=threading.Lock)


class Admission:
    """The slots of a process and the order of its work, shared by its threads.

    A request with a slot waits or works; a limited number at a time hold an execution permit, in FIFO order. A
    semaphore would wake an arbitrary waiter: measured, that doubles the slowest latencies.
    """

    def __init__(self, limit: int):
        self.limit = limit
        self._changed = threading.Lock()
        self._held = 0
        self._working = 0
        self._queue: deque[_Waiter] = deque()

    @property
    def held(self) -> int:
        """Requests that hold a slot."""
        return self._held

    @property
    def waiting(self) -> int:
        """Requests with a slot that wait for a permit."""
        return len(self._queue)

    @contextmanager
    def slot(self) -> Iterator["Slot"]:
        """Hold a slot while a request waits or is worked on.

        Raises:
            RejectedError: All slots are taken (503, with Retry-After).
        """
        with self._changed:
            if self._held >= self.limit:
                raise busy(self.limit)
            self._held += 1
        try:
            yield Slot(self)
        finally:
            with self._changed:
                self._held -= 1
            connection.release_slot()

    def acquire_permit(self, concurrency: int) -> bool:
        """Acquire one of `concurrency` permits, waiting if necessary; return whether it had to wait."""
        with self._changed:
            if not self._queue and self._working < concurrency:
                self._working += 1
                return False
            waiter = _Waiter(concurrency)
            waiter.granted.acquire()
            self._queue.append(waiter)
        waiter.granted.acquire()
        return True

    def release_permit(self) -> None:
        """Release a permit and grant it to the next waiter."""
        with self._changed:
            self._working -= 1
            while self._queue and self._working < self._queue[0].concurrency:
                self._working += 1
                self._queue.popleft().granted.release()


@dataclass(frozen=True)
class Slot:
    """The slot of a request."""

    admission: Admission

    @contextmanager
    def permit(
        self, concurrency: int, client_is_gone: Callable[[], bool] = connection.client_is_gone
    ) -> Iterator[None]:
        """Hold one of `concurrency` execution permits.

        Raises:
            RejectedError: The client disconnected while the request waited (499, as in nginx).
        """
        waited = self.admission.acquire_permit(concurrency)
        try:
            if waited and client_is_gone():
                raise RejectedError(499, "client_gone", "The client disconnected before its request was executed.")
            yield
        finally:
            self.admission.release_permit()


class RetryAfterEstimator:
    """Estimate Retry-After from the rate at which a saturated server frees slots."""

    def __init__(self) -> None:
        self._seconds, self._seen = 0.0, 0
        self._last: float | None = None

    def slot_freed(self, now: float, was_saturated: bool) -> None:
        """Record that a slot was freed at `now` (monotonic clock), and whether the server was saturated."""
        if was_saturated and self._last is not None:
            self._seen = min(self._seen + 1, _WINDOW)
            self._seconds += (now - self._last - self._seconds) / self._seen
        self._last = now if was_saturated else None

    def seconds(self, slots: int) -> int:
        """Estimate the time until `slots` slots have been freed: 1 to `MAX_RETRY_AFTER` seconds."""
        return min(max(math.ceil(_MARGIN * slots * self._seconds), 1), MAX_RETRY_AFTER)


class BodyMemoryBudget:
    """Budget for the bytes of bodies in memory, beyond the first `free` bytes of each."""

    def __init__(self, limit: int, free: int):
        self.limit, self._free = limit, free
        self.used = 0

    def fits(self, size: int) -> bool:
        """Return whether another body of `size` bytes would fit now."""
        return self.used + max(size - self._free, 0) <= self.limit

    def change(self, before: int, now: int) -> bool:
        """Account for a body that grew from `before` to `now` bytes; return whether all bodies are within budget."""
        self.used += max(now - self._free, 0) - max(before - self._free, 0)
        return self.used <= self.limit
