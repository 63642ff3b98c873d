"""FIFO pool of inference requests, plus a latency-optimised one for when the engine is otherwise idle."""

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Generic, TypeVar

Request = TypeVar("Request")


class RequestPool(Generic[Request]):
    """Inference requests shared by threads, in FIFO order; the lock is never held while a request runs.

    A released request is handed directly to the thread that has waited longest, so later threads cannot overtake it.
    """

    def __init__(self, throughput_requests: Iterable[Request], latency_request: Request | None = None):
        """Share `throughput_requests`; lend `latency_request` only for a single image in an otherwise idle engine."""
        self._idle = deque(throughput_requests)
        self._throughput_count = len(self._idle)
        self._latency_request = latency_request
        self._latency_is_idle = latency_request is not None
        self._waiting: deque[SimpleQueue[Request]] = deque()
        self._announced = 0
        self._lock = threading.Lock()

    @property
    def idle(self) -> int:
        """Number of idle requests, the latency request included."""
        with self._lock:
            return len(self._idle) + self._latency_is_idle

    @property
    def waiting(self) -> int:
        """Number of threads that wait for a request."""
        return len(self._waiting)

    @contextmanager
    def announce(self) -> Iterator[None]:
        """Announce that the caller will acquire requests soon, so that the latency path is left to a lone caller."""
        with self._lock:
            self._announced += 1
        try:
            yield
        finally:
            with self._lock:
                self._announced -= 1

    @contextmanager
    def taken(self, wanted: int) -> Iterator[list[Request]]:
        """Hold from 1 to `wanted` requests: those that are idle, otherwise the next one released."""
        requests = self._acquire(wanted)
        try:
            yield requests
        finally:
            self._release(requests)

    def _acquire(self, wanted: int) -> list[Request]:
        with self._lock:
            engine_is_idle = len(self._idle) == self._throughput_count and self._latency_is_idle
            if wanted == 1 and engine_is_idle and self._announced <= 1 and self._latency_request is not None:
                self._latency_is_idle = False
                return [self._latency_request]
            if self._idle:
                return [self._idle.popleft() for _ in range(min(wanted, len(self._idle)))]
            handed: SimpleQueue[Request] = SimpleQueue()
            self._waiting.append(handed)
        return [handed.get()]

    def _release(self, requests: Iterable[Request]) -> None:
        with self._lock:
            for request in requests:
                if request is self._latency_request:
                    self._latency_is_idle = True
                elif self._waiting:
                    self._waiting.popleft().put(request)
                else:
                    self._idle.append(request)
