"""An amount of something that the threads of a process share: first come, first served."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_CHECK_SECONDS = 0.25
"""How often a thread that waits looks whether it still has to."""
_SMALL_SHARE = 16
"""What takes no more than this part of the whole does not queue behind what takes much, as long as it fits."""


@dataclass(frozen=True, eq=False)
class _Waiter:
    amount: int
    called: threading.Lock = field(default_factory=threading.Lock)


class SharedAmount:
    """At most `limit` is held at a time; whoever is large never waits behind who came later, but for small amounts."""

    def __init__(self, limit: int):
        self.limit = limit
        self._changed = threading.Lock()
        self._held = 0
        self._queue: deque[_Waiter] = deque()

    @property
    def held(self) -> int:
        """What is held now."""
        return self._held

    @contextmanager
    def hold(self, amount: int, check: Callable[[], None]) -> Iterator[None]:
        """Hold an amount, at most `limit`; what `check` raises, called often, ends the wait."""
        if not self._take(amount):
            self._wait(amount, check)
        try:
            yield
        finally:
            with self._changed:
                self._held -= amount
                self._call_next()

    def _take(self, amount: int) -> bool:
        with self._changed:
            fits = self._held + amount <= self.limit
            if fits and (not self._queue or amount * _SMALL_SHARE <= self.limit):
                self._held += amount
                return True
            return False

    def _wait(self, amount: int, check: Callable[[], None]) -> None:
        waiter = _Waiter(amount)
        waiter.called.acquire()
        with self._changed:
            self._queue.append(waiter)
            self._call_next()
        try:
            while not waiter.called.acquire(timeout=_CHECK_SECONDS):
                check()
        except BaseException:
            with self._changed:
                if waiter in self._queue:
                    self._queue.remove(waiter)
                else:
                    self._held -= amount
                self._call_next()
            raise

    def _call_next(self) -> None:
        while self._queue and self._held + self._queue[0].amount <= self.limit:
            waiter = self._queue.popleft()
            self._held += waiter.amount
            waiter.called.release()
