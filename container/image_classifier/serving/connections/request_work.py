"""Limits on the cost of a request in pixels, memory and time, and how its steps share the process with others."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from image_classifier.imaging import TOO_LARGE, Header, ImageRejected
from image_classifier.resources import memory
from image_classifier.serving.connections import connection
from image_classifier.serving.connections.weighted_semaphore import WeightedSemaphore
from image_classifier.serving.connections.work_limits import WorkLimits
from image_classifier.serving.rejection import RejectedError

DEADLINE = "deadline_exceeded"
"""Error code of a request that exceeded its deadline."""
_MEGABYTE = 1024 * 1024
MAX_EXPLANATIONS = 4
"""In-flight requests of low priority: one that is computed, and others that wait. Each occupies a slot."""
_LEAST_BUDGET = 32 * _MEGABYTE
"""Minimum, even where hardly any memory is free: an image of 8 megapixels in RGB."""


def too_many_explanations() -> RejectedError:
    """Return the rejection of an explanation beyond the limit: 503 with Retry-After."""
    message = f"The server is at its limit of {MAX_EXPLANATIONS} in-flight explanations. Retry in 5 s."
    return RejectedError(503, "busy", message, {"Retry-After": "5"})


class WorkBudgets:
    """The budgets that all requests of a process share: memory for rasters, and lanes for heavy images.

    Explanations have one lane, so that there is at most one step of them among those of other requests.
    """

    def __init__(self, limits: WorkLimits):
        self.limits = limits
        self.explanation_lane = WeightedSemaphore(1)
        self.explanation_slots = threading.BoundedSemaphore(MAX_EXPLANATIONS)
        self._creating = threading.Lock()
        self._raster_memory: WeightedSemaphore | None = None
        self._lanes: dict[int, WeightedSemaphore] = {}

    @property
    def raster_memory(self) -> WeightedSemaphore:
        """The memory for rasters, in bytes; measured at first use, when the model has already allocated its own."""
        with self._creating:
            if self._raster_memory is None:
                configured = self.limits.decode_memory_bytes
                free = memory.available_bytes() // 2 // self.limits.processes
                self._raster_memory = WeightedSemaphore(max(free, _LEAST_BUDGET) if configured is None else configured)
            return self._raster_memory

    def heavy_lanes(self, concurrency: int) -> WeightedSemaphore:
        """Return the lanes for heavy images, which never hold more than half of `concurrency` permits."""
        with self._creating:
            return self._lanes.setdefault(concurrency, WeightedSemaphore(max(concurrency // 2, 1)))


class RequestWork:
    """The work of one request; its deadline counts from now, and `permit` returns an execution permit to hold."""

    def __init__(
        self,
        budgets: WorkBudgets,
        concurrency: int,
        permit: Callable[[], AbstractContextManager[None]],
        deadline_factor: int = 1,
        client_is_gone: Callable[[], bool] = connection.client_is_gone,
    ):
        self._budgets, self._concurrency, self._permit = budgets, concurrency, permit
        self._client_is_gone = client_is_gone
        self._seconds = budgets.limits.seconds * deadline_factor
        self._deadline = time.monotonic() + self._seconds
        self._pixels = self._images = 0
        self._held_permit: ExitStack | None = None

    @property
    def max_pixels(self) -> int:
        """Largest width times height in an image's header."""
        return self._budgets.limits.max_pixels

    def admit(self, header: Header, memory: int) -> None:
        """Check an image before it is decoded; decoding takes `memory` bytes.

        Raises:
            ImageRejected: It exceeds the memory for one image, or the images so far exceed the pixels of a request.
        """
        limits = self._budgets.limits
        allowed = min(limits.image_memory_bytes, self._budgets.raster_memory.limit)
        if memory > allowed:
            message = (
                f"Decoding this {header.format} image of {header.size[0]:,} x {header.size[1]:,} pixels takes "
                f"{-(-memory // _MEGABYTE):,} MB of memory; allowed: {allowed // _MEGABYTE:,} MB. "
                "Send a smaller one, or a JPEG that is not progressive, which takes the least."
            )
            raise ImageRejected(TOO_LARGE, message)
        if self._pixels + header.pixels > limits.max_request_pixels:
            message = (
                f"The images of the request up to this one have {self._pixels + header.pixels:,} pixels together; "
                f"allowed: {limits.max_request_pixels:,}. Send fewer images in one request, or smaller ones."
            )
            raise ImageRejected(TOO_LARGE, message)
        self._pixels += header.pixels

    @contextmanager
    def step(self, heavy: bool) -> Iterator[None]:
        """Hold a permit; for a heavy image also a lane, waiting for it without holding a permit.

        Raises:
            RejectedError: The deadline is exceeded (503), or the client has disconnected (499).
        """
        with ExitStack() as held:
            if heavy:
                self.release()
                held.enter_context(self._budgets.heavy_lanes(self._concurrency).hold(1, self.check))
            self.acquire()
            held.callback(self.release)
            self._check_time()
            yield

    def memory(self, size: int) -> AbstractContextManager[None]:
        """Hold `size` bytes of memory while an image is decoded, after checking the client and the deadline.

        Raises:
            RejectedError: As for `step`.
        """
        # Not before the first image: it costs little more than the check, and its client may have half-closed its
        # connection.
        self._images += 1
        if self._images > 1:
            self.check()
        return self._budgets.raster_memory.hold(size, self.check)

    @contextmanager
    def low_priority(self) -> Iterator[None]:
        """Hold the lane for explanations, waiting for it without holding a permit.

        Raises:
            RejectedError: Too many wait for it (503), or as for `check`.
        """
        if not self._budgets.explanation_slots.acquire(blocking=False):
            raise too_many_explanations()
        try:
            self.release()
            with self._budgets.explanation_lane.hold(1, self.check):
                yield
        finally:
            self._budgets.explanation_slots.release()

    def acquire(self) -> None:
        """Acquire a permit, waiting if necessary; a permit already held is kept."""
        if self._held_permit is None:
            with ExitStack() as stack:
                stack.enter_context(self._permit())
                self._held_permit = stack.pop_all()

    def release(self) -> None:
        """Release the permit if one is held."""
        permit, self._held_permit = self._held_permit, None
        if permit is not None:
            permit.close()

    def check(self) -> None:
        """Check whether the response is still wanted.

        Raises:
            RejectedError: The deadline is exceeded (503), or the client has disconnected (499).
        """
        self._check_time()
        if self._client_is_gone():
            raise RejectedError(499, "client_gone", "The client disconnected before its images were classified.")

    def _check_time(self) -> None:
        if time.monotonic() > self._deadline:
            message = (
                f"The request was not finished within {self._seconds:g} s. "
                "Send fewer or smaller images in one request, or retry in 1 s."
            )
            raise RejectedError(503, DEADLINE, message, {"Retry-After": "1"})


@contextlib.contextmanager
def releasing(work: RequestWork) -> Iterator[RequestWork]:
    """Release the permit at the end of the block, whatever happens."""
    try:
        yield work
    finally:
        work.release()
