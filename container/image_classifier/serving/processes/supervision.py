"""Restart crashed workers with a growing delay, until too many crashed within a minute."""

import signal
import time
from collections import deque
from collections.abc import Callable

from image_classifier.contract.serving_variables import WORKER_CRASHES
from image_classifier.serving.connections.gunicorn_internals import HaltServer
from image_classifier.serving.monitoring import log_stream

WINDOW_SECONDS = 60.0
MAX_DELAY_SECONDS = 8.0
EXIT_CODE = 1


class CrashBudget:
    """The crashes of the last minute, of which `limit` are tolerated; lives in gunicorn's first process."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic):
        self._limit, self._clock = limit, clock
        self._times: deque[float] = deque()

    def record(self, process: int) -> None:
        """Record the crash of a worker and log it.

        Raises:
            HaltServer: The budget is exceeded; gunicorn then stops the other workers and exits with code 1.
        """
        self._times.append(self._clock())
        crashes = self._recent()
        if crashes > self._limit:
            reason = (
                f"PlatformError: {crashes} workers exited unexpectedly within a minute; {WORKER_CRASHES.name} allows "
                f"{self._limit}. Stopping the server; the lines above say why they exited."
            )
            log_stream.print_line(reason)
            raise HaltServer(reason, EXIT_CODE)
        log_stream.print_line(f"Worker {process} exited unexpectedly; restarting it.")

    def delay(self) -> float:
        """Return the seconds to wait before the next start: none after one crash, then 1, 2, 4, 8."""
        crashes = self._recent()
        return min(2.0 ** (crashes - 2), MAX_DELAY_SECONDS) if crashes > 1 else 0.0

    def _recent(self) -> int:
        while self._times and self._times[0] < self._clock() - WINDOW_SECONDS:
            self._times.popleft()
        return len(self._times)


def retrying(spawn: Callable[[], object]) -> Callable[[], object]:
    """Return gunicorn's `spawn_worker`, which tries again later when the system cannot start a process now.

    gunicorn itself would stop all running workers and exit.
    """

    def attempt() -> object:
        try:
            return spawn()
        except OSError as error:
            log_stream.print_line(f"A worker cannot be started: {error}. Retrying in 1 s.")
            return None

    return attempt


def delay_start(seconds: float) -> None:
    """Wait in a worker that was just forked; SIGTERM ends the wait and the worker."""
    if seconds:
        # The handler inherited from gunicorn's first process only queues signals.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        time.sleep(seconds)
