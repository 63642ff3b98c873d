"""How many requests are worked on at once. What does not fit is told so at once, instead of waiting unseen."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from image_classifier.serving.refusal import RefusedError


class Admission:
    """A counter with a limit, shared by the threads of a process."""

    def __init__(self, limit: int):
        self.limit = limit
        self._places = threading.BoundedSemaphore(limit)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place while a request is worked on.

        Raises:
            RefusedError: All places are taken (503, with Retry-After).
        """
        if not self._places.acquire(blocking=False):
            message = f"The server is working on {self.limit} requests, as many as it takes; try again in a second."
            raise RefusedError(503, "busy", message, {"Retry-After": "1"})
        try:
            yield
        finally:
            self._places.release()
