"""The threads that answer requests: some from the start, more as they are needed, no error for want of one."""

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

AT_START = 8
"""Threads that are there before the first request; a system that allows no more later leaves these."""
log = logging.getLogger("image_classifier.serving")


class Threads:
    """Up to `most` threads; work is handed over by one thread alone, the main loop's."""

    def __init__(self, most: int):
        self._most = most
        self._work: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._changed = threading.Lock()
        self._started = self._busy = 0
        self._at_limit = False
        for _ in range(min(AT_START, most)):
            self._start()

    def submit(self, work: Callable[[], object]) -> bool:
        """Let a thread do some work, which raises nothing; says whether there is a thread for it."""
        with self._changed:
            idle = self._started - self._busy
        if not idle and (self._started >= self._most or not self._start()):
            return False
        with self._changed:
            self._busy += 1
        self._work.put(work)
        return True

    def shutdown(self, wait: bool = False) -> None:
        """Let the threads end with the process, as gunicorn's worker asks at its end; they are not waited for."""

    def _start(self) -> bool:
        try:
            # A daemon: a thread that computes longer than the grace period does not hold up the end of the process.
            threading.Thread(target=self._run, name=f"request-{self._started}", daemon=True).start()
        except (RuntimeError, MemoryError) as error:  # the system's limit of threads, or no memory for a stack
            if not self._at_limit:
                log.warning("No thread can be started beside %d: %s. More requests get 503.", self._started, error)
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
