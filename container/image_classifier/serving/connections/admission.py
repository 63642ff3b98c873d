"""Who is let in, and whose turn it is. What does not fit is told so at once, instead of waiting unseen."""

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from image_classifier.serving.connections import connection
from image_classifier.serving.connections.limits import LONGEST_PAUSE
from image_classifier.serving.rejection import RejectedError

_REMEMBERED = 16
"""Places that got free, which weigh most in how fast the next ones do."""
_MARGIN = 1.25
"""By how much the pace may vary: who comes a moment too early is rejected once more, behind all others."""


def busy(limit: int, retry_after: int = 1) -> RejectedError:
    """Return the rejection of what does not fit: 503, with the seconds after which to try again."""
    message = f"The server is working on {limit} requests, as many as it takes; try again in {retry_after} s."
    return RejectedError(503, "busy", message, {"Retry-After": str(retry_after)})


def no_memory(limit: int, retry_after: int = 1) -> RejectedError:
    """Return the rejection of a body that does not fit beside the others: 503, with the seconds to wait."""
    message = (
        f"The bodies of requests that are on their way take all of the {limit // 2**20} MB that there are for them; "
        f"try again in {retry_after} s."
    )
    return RejectedError(503, "busy", message, {"Retry-After": str(retry_after)})


def no_thread(retry_after: int = 1) -> RejectedError:
    """Return the rejection of a request for which no thread can be started: 503, with the seconds to wait."""
    message = (
        "The server cannot start another thread, and all that it has are in use. Retry in "
        f"{retry_after} s. If this lasts, raise the container's limit of processes (pids)."
    )
    return RejectedError(503, "busy", message, {"Retry-After": str(retry_after)})


def too_slow_for_others() -> RejectedError:
    """Return the rejection of a request that arrives slowly while new connections find none free: 503."""
    message = "The server is at its limit of connections, and this request arrives too slowly. Retry in 1 s."
    return RejectedError(503, "busy", message, {"Retry-After": "1"})


@dataclass(frozen=True, eq=False)
class _Waiter:
    concurrency: int
    called: threading.Lock = field(default_factory=threading.Lock)


class Admission:
    """The places of a process and the order of its work, shared by its threads.

    A request in a place waits or works; some of them at a time have their turn, first come, first served. A semaphore
    would serve whoever the system wakes first: measured, that doubles the slowest answers.
    """

    def __init__(self, limit: int):
        self.limit = limit
        self._changed = threading.Lock()
        self._held = 0
        self._working = 0
        self._queue: deque[_Waiter] = deque()

    @property
    def held(self) -> int:
        """Requests that have a place."""
        return self._held

    @property
    def waiting(self) -> int:
        """Requests of those that wait for their turn."""
        return len(self._queue)

    @contextmanager
    def place(self) -> Iterator["Slot"]:
        """Hold a place while a request waits or is worked on.

        Raises:
            RejectedError: All places are taken (503, with Retry-After).
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
            connection.give_place_back()

    def begin(self, concurrency: int) -> bool:
        """Take a turn, after waiting for it if need be; says whether it had to wait."""
        with self._changed:
            if not self._queue and self._working < concurrency:
                self._working += 1
                return False
            waiter = _Waiter(concurrency)
            waiter.called.acquire()
            self._queue.append(waiter)
        waiter.called.acquire()
        return True

    def end(self) -> None:
        """Give a turn to who is next."""
        with self._changed:
            self._working -= 1
            while self._queue and self._working < self._queue[0].concurrency:
                self._working += 1
                self._queue.popleft().called.release()


@dataclass(frozen=True)
class Slot:
    """A request's place."""

    admission: Admission

    @contextmanager
    def turn(self, concurrency: int, client_is_gone: Callable[[], bool] = connection.client_is_gone) -> Iterator[None]:
        """Hold a turn, of which there are `concurrency` at a time.

        Raises:
            RejectedError: Its client has gone meanwhile (499, nginx's number for it); nobody would read the answer.
        """
        waited = self.admission.begin(concurrency)
        try:
            if waited and client_is_gone():
                raise RejectedError(499, "client_gone", "The client closed the connection before its turn came.")
            yield
        finally:
            self.admission.end()


class RetryAfterEstimator:
    """How fast places get free while there is enough to do, which tells who is rejected when to come again."""

    def __init__(self) -> None:
        self._seconds, self._seen = 0.0, 0
        self._last: float | None = None

    def freed(self, now: float, was_busy: bool) -> None:
        """Take note of a place that is free since `now` (monotonic clock), and whether there was enough to do."""
        if was_busy and self._last is not None:
            self._seen = min(self._seen + 1, _REMEMBERED)
            self._seconds += (now - self._last - self._seconds) / self._seen
        self._last = now if was_busy else None

    def seconds(self, places: int) -> int:
        """Estimate how long it takes until so many places have become free: from 1 to `LONGEST_PAUSE` seconds."""
        return min(max(math.ceil(_MARGIN * places * self._seconds), 1), LONGEST_PAUSE)


class BodyMemoryBudget:
    """How many bytes of bodies may be in memory at once, beyond the first `free` bytes of each."""

    def __init__(self, limit: int, free: int):
        self.limit, self._free = limit, free
        self.used = 0

    def fits(self, more: int) -> bool:
        """Say whether a body of `more` bytes would fit now."""
        return self.used + max(more - self._free, 0) <= self.limit

    def change(self, before: int, now: int) -> bool:
        """Count a body that had `before` bytes in memory and has `now`; says whether all still fit."""
        self.used += max(now - self._free, 0) - max(before - self._free, 0)
        return self.used <= self.limit
