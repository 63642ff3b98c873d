"""Serving processes that die: another takes each one's place, later each time, until too many died within a minute."""

import contextlib
import signal
import sys
import time
from collections import deque
from collections.abc import Callable

from gunicorn.errors import HaltServer

WINDOW_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 8.0
EXIT_CODE = 1


class CrashBudget:
    """The deaths of the last minute, of which `limit` are borne; lives in gunicorn's first process."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic):
        self._limit, self._clock = limit, clock
        self._times: deque[float] = deque()

    def note(self, process: int) -> None:
        """Count the death of a process and say so.

        Raises:
            HaltServer: It was one too many; gunicorn then ends the others and itself, with exit code 1.
        """
        self._times.append(self._clock())
        deaths = self._recent()
        if deaths > self._limit:
            reason = (
                f"PlatformError: {deaths} serving processes died within a minute, more than the {self._limit} that "
                "SERVE_MAX_WORKER_DEATHS allows. This server ends; the lines above say how they died."
            )
            _say(reason)
            raise HaltServer(reason, EXIT_CODE)
        _say(f"Serving process {process} died; another takes its place.")

    def pause(self) -> float:
        """Return the seconds to wait before the next one starts: none after one death, then 1, 2, 4, 8."""
        deaths = self._recent()
        return min(2.0 ** (deaths - 2), LONGEST_PAUSE_SECONDS) if deaths > 1 else 0.0

    def _recent(self) -> int:
        while self._times and self._times[0] < self._clock() - WINDOW_SECONDS:
            self._times.popleft()
        return len(self._times)


def _say(line: str) -> None:
    # A log that nobody takes must not end the server.
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(line, file=sys.stderr, flush=True)


def persistent(spawn: Callable[[], object]) -> Callable[[], object]:
    """Return gunicorn's `spawn_worker`, which tries again later when the system starts no process now.

    gunicorn would end the processes that are well, and itself.
    """

    def attempt() -> object:
        try:
            return spawn()
        except OSError as error:
            _say(f"A serving process cannot be started: {error}. The server tries again in a second.")
            return None

    return attempt


def wait(seconds: float) -> None:
    """Wait in a process that was just forked; SIGTERM ends it."""
    if seconds:
        # Inherited from gunicorn's first process is a handler that only remembers signals.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        time.sleep(seconds)
