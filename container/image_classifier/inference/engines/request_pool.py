"""Who may use which of an engine's requests: first come, first served, and a fast one for who is alone."""

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Generic, TypeVar

Request = TypeVar("Request")


class RequestPool(Generic[Request]):
    """Requests that threads share. Nobody waits while one is idle, and no lock is held while one is used.

    Who has to wait is handed a request by the thread that gives it back, so that nobody who comes later is faster.
    """

    def __init__(self, shared: Iterable[Request], fast: Request | None = None):
        """Share out `shared`; `fast`, if there is one, goes to who wants one request while no other is on its way."""
        self._idle = deque(shared)
        self._shared = len(self._idle)
        self._fast = fast
        self._fast_is_idle = fast is not None
        self._waiting: deque[SimpleQueue[Request]] = deque()
        self._expected = 0
        self._lock = threading.Lock()

    @property
    def idle(self) -> int:
        """How many requests nobody uses, the fast one included."""
        with self._lock:
            return len(self._idle) + self._fast_is_idle

    @property
    def waiting(self) -> int:
        """How many threads wait."""
        return len(self._waiting)

    @contextmanager
    def expecting(self) -> Iterator[None]:
        """Announce, while it holds, somebody who will want requests soon: the fast one is for who is alone."""
        with self._lock:
            self._expected += 1
        try:
            yield
        finally:
            with self._lock:
                self._expected -= 1

    @contextmanager
    def taken(self, wanted: int) -> Iterator[list[Request]]:
        """Hold from 1 to `wanted` requests: what is idle, otherwise the next that is given back."""
        requests = self._take(wanted)
        try:
            yield requests
        finally:
            self._give_back(requests)

    def _take(self, wanted: int) -> list[Request]:
        with self._lock:
            alone = self._fast_is_idle and len(self._idle) == self._shared and self._expected <= 1
            if alone and wanted == 1 and self._fast is not None:
                self._fast_is_idle = False
                return [self._fast]
            if self._idle:
                return [self._idle.popleft() for _ in range(min(wanted, len(self._idle)))]
            handed: SimpleQueue[Request] = SimpleQueue()
            self._waiting.append(handed)
        return [handed.get()]

    def _give_back(self, requests: Iterable[Request]) -> None:
        with self._lock:
            for request in requests:
                if request is self._fast:
                    self._fast_is_idle = True
                elif self._waiting:
                    self._waiting.popleft().put(request)
                else:
                    self._idle.append(request)
