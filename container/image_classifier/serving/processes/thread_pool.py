"""The threads that answer requests: some from the start, more on demand; no error if the system allows no more."""

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

INITIAL_THREADS = 8
"""Started before the first request; they remain if the system allows no more later."""
log = logging.getLogger("image_classifier.serving")


class ThreadPool:
    """Up to `most` threads; only the main loop's thread submits work."""

    def __init__(self, most: int):
        self._most = most
        self._work: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._changed = threading.Lock()
        self._started = self._busy = 0
        self._at_limit = False
        for _ in range(min(INITIAL_THREADS, most)):
            self._start()

    def submit(self, work: Callable[[], object]) -> bool:
        """Run work, which must not raise, in a thread; return False if no thread is available."""
        with self._changed:
            idle = self._started - self._busy
        if not idle and (self._started >= self._most or not self._start()):
            return False
        with self._changed:
            self._busy += 1
        self._work.put(work)
        return True

    def shutdown(self, wait: bool = False) -> None:
        """Do nothing: the daemon threads end with the process. gunicorn's worker calls this on shutdown."""

    def _start(self) -> bool:
        try:
            # A daemon: a thread that computes longer than the grace period does not delay the exit of the process.
            threading.Thread(target=self._run, name=f"request-{self._started}", daemon=True).start()
        except (RuntimeError, MemoryError) as error:  # the system's limit of threads, or no memory for a stack
            if not self._at_limit:
                log.warning("Cannot start more than %d threads: %s. Further requests get 503.", self._started, error)
            self._at_limit = True
            return False
        self._started += 1
        self._at_limit = False
        return True

    def _run(self) -> None:
        while True:
            work = self._work.get()
            try:
                work()
            except Exception as error:
                log.error("A request failed below the application.", exc_info=error)
            finally:
                del work
                with self._changed:
                    self._busy -= 1
