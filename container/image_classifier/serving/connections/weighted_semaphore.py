"""A semaphore over an amount (bytes, lanes) with FIFO order, shared by the threads of a process."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_CHECK_SECONDS = 0.25
"""Interval at which a waiting thread checks whether its work is still wanted."""
_SMALL_SHARE = 16
"""Requests of up to 1/16 of the limit may overtake the queue when they fit."""


@dataclass(frozen=True, eq=False)
class _Waiter:
    amount: int
    granted: threading.Lock = field(default_factory=threading.Lock)


class WeightedSemaphore:
    """At most `limit` is held at a time. A large request never waits behind a later one, except for small ones."""

    def __init__(self, limit: int):
        self.limit = limit
        self._changed = threading.Lock()
        self._held = 0
        self._queue: deque[_Waiter] = deque()

    @property
    def held(self) -> int:
        """The amount that is held now."""
        return self._held

    @contextmanager
    def hold(self, amount: int, check: Callable[[], None]) -> Iterator[None]:
        """Hold an amount of at most `limit`; `check` is called while waiting, and its exceptions end the wait."""
        if not self._try_acquire(amount):
            self._wait(amount, check)
        try:
            yield
        finally:
            with self._changed:
                self._held -= amount
                self._grant_next()

    def _try_acquire(self, amount: int) -> bool:
        with self._changed:
            fits = self._held + amount <= self.limit
            if fits and (not self._queue or amount * _SMALL_SHARE <= self.limit):
                self._held += amount
                return True
            return False

    def _wait(self, amount: int, check: Callable[[], None]) -> None:
        waiter = _Waiter(amount)
        waiter.granted.acquire()
        with self._changed:
            self._queue.append(waiter)
            self._grant_next()
        try:
            while not waiter.granted.acquire(timeout=_CHECK_SECONDS):
                check()
        except BaseException:
            with self._changed:
                if waiter in self._queue:
                    self._queue.remove(waiter)
                else:
                    self._held -= amount
                self._grant_next()
            raise

    def _grant_next(self) -> None:
        while self._queue and self._held + self._queue[0].amount <= self.limit:
            waiter = self._queue.popleft()
            self._held += waiter.amount
            waiter.granted.release()
