"""The threads that answer requests: some from the start, more on demand; no error if the system allows no more."""

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

INITIAL_THREADS = 8
"""Started before the first request; they remain if the system allows no more later."""
log = logging.getLogger("image_classifier.serving")
_Queue = SimpleQueue[Callable[[], object]]


class ThreadPool:
    """Up to `most` threads; only the main loop's thread submits work.

    Work goes to the thread that became idle last: its memory and the CPU's caches still hold what the next image needs.
    With one queue for all threads, clients that send one image at a time would go round all of them.
    """

    def __init__(self, most: int):
        self._most = most
        self._started = 0
        self._at_limit = False
        # Each thread has a queue of its own; appending and popping are atomic.
        self._idle = [queue for _ in range(min(INITIAL_THREADS, most)) if (queue := self._start())]

    def submit(self, work: Callable[[], object]) -> bool:
        """Run work, which must not raise, in a thread; return False if no thread is available."""
        queue = self._idle.pop() if self._idle else self._start()
        if queue is None:
            return False
        queue.put(work)
        return True

    def shutdown(self, wait: bool = False) -> None:
        """Do nothing: the daemon threads end with the process. gunicorn's worker calls this on shutdown."""

    def _start(self) -> _Queue | None:
        if self._started >= self._most:
            return None
        queue: _Queue = SimpleQueue()
        try:
            # A daemon: a thread that computes longer than the grace period does not delay the exit of the process.
            threading.Thread(target=self._run, args=(queue,), name=f"request-{self._started}", daemon=True).start()
        except (RuntimeError, MemoryError) as error:  # the system's limit of threads, or no memory for a stack
            if not self._at_limit:
                log.warning("Cannot start more than %d threads: %s. Further requests get 503.", self._started, error)
            self._at_limit = True
            return None
        self._started += 1
        self._at_limit = False
        return queue

    def _run(self, queue: _Queue) -> None:
        while True:
            work = queue.get()
            try:
                work()
            except Exception as error:
                log.error("A request failed below the application.", exc_info=error)
            finally:
                del work
                self._idle.append(queue)
