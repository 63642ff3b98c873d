"""What one request may cost, in pixels, memory and time, and how its steps share the process with other requests."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from image_classifier.imaging import TOO_LARGE, Header, ImageRejected
from image_classifier.resources import memory
from image_classifier.serving.connections import connection
from image_classifier.serving.connections.shared_amount import SharedAmount
from image_classifier.serving.connections.work_limits import WorkLimits
from image_classifier.serving.rejection import RejectedError

DEADLINE = "deadline_exceeded"
"""The code of the rejection of a request whose time is over."""
_MEGABYTE = 1024 * 1024
_LEAST_BUDGET = 32 * _MEGABYTE
"""Even where hardly any memory is free: an image of 8 megapixels in RGB."""


class SharedWork:
    """What the requests of a process share: the memory for rasters, and a lane for heavy images."""

    def __init__(self, limits: WorkLimits):
        self.limits = limits
        self._creating = threading.Lock()
        self._rasters: SharedAmount | None = None
        self._lanes: dict[int, SharedAmount] = {}

    @property
    def rasters(self) -> SharedAmount:
        """The memory for rasters, in bytes; measured when it is first needed, since the model takes its own before."""
        with self._creating:
            if self._rasters is None:
                given = self.limits.decode_memory_bytes
                free = memory.available_bytes() // 2 // self.limits.processes
                self._rasters = SharedAmount(max(free, _LEAST_BUDGET) if given is None else given)
            return self._rasters

    def lane(self, concurrency: int) -> SharedAmount:
        """Return the lane for heavy images: they never take more than half of `concurrency` permits."""
        with self._creating:
            return self._lanes.setdefault(concurrency, SharedAmount(max(concurrency // 2, 1)))


class RequestWork:
    """The work of a request from now on; `turn` returns a permit, which is held from the first step's preparation."""

    def __init__(
        self,
        shared: SharedWork,
        concurrency: int,
        turn: Callable[[], AbstractContextManager[None]],
        times: int = 1,
        client_is_gone: Callable[[], bool] = connection.client_is_gone,
    ):
        self._shared, self._concurrency, self._turn = shared, concurrency, turn
        self._client_is_gone = client_is_gone
        self._seconds = shared.limits.seconds * times
        self._deadline = time.monotonic() + self._seconds
        self._pixels = self._images = 0
        self._permit: ExitStack | None = None

    @property
    def max_pixels(self) -> int:
        """Width times height that an image's header may state."""
        return self._shared.limits.max_pixels

    def admit(self, header: Header, memory: int) -> None:
        """Check an image before it is decoded, which takes `memory` bytes.

        Raises:
            ImageRejected: It takes more memory than one image may, or the images so far have too many pixels together.
        """
        limits = self._shared.limits
        allowed = min(limits.image_memory_bytes, self._shared.rasters.limit)
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
        """Hold a permit, and for a heavy image a lane, which is waited for without a permit.

        Raises:
            RejectedError: The time is over (503), or the client has gone (499).
        """
        with ExitStack() as held:
            if heavy:
                self.release()
                held.enter_context(self._shared.lane(self._concurrency).hold(1, self.check))
            self.acquire()
            held.callback(self.release)
            self._check_time()
            yield

    def memory(self, size: int) -> AbstractContextManager[None]:
        """Hold memory of `size` bytes while an image is decoded; looks at the client and the time before.

        Raises:
            RejectedError: As for `step`.
        """
        # The first image costs little more than the look, and its client may have closed its own direction alone.
        self._images += 1
        if self._images > 1:
            self.check()
        return self._shared.rasters.hold(size, self.check)

    def acquire(self) -> None:
        """Hold a permit from now on, after waiting for it if need be."""
        if self._permit is None:
            with ExitStack() as stack:
                stack.enter_context(self._turn())
                self._permit = stack.pop_all()

    def release(self) -> None:
        """Give the permit back, if it is held."""
        permit, self._permit = self._permit, None
        if permit is not None:
            permit.close()

    def check(self) -> None:
        """Look whether the work is still wanted.

        Raises:
            RejectedError: The time is over (503), or the client has gone (499).
        """
        self._check_time()
        if self._client_is_gone():
            raise RejectedError(499, "client_gone", "The client closed the connection before its images were done.")

    def _check_time(self) -> None:
        if time.monotonic() > self._deadline:
            message = (
                f"The request was not finished within {self._seconds:g} s. "
                "Send fewer or smaller images in one request, or retry in 1 s."
            )
            raise RejectedError(503, DEADLINE, message, {"Retry-After": "1"})


@contextlib.contextmanager
def released(work: RequestWork) -> Iterator[RequestWork]:
    """Give the permit back at the end, whatever happens."""
    try:
        yield work
    finally:
        work.release()
