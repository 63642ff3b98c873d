"""The thread that starts the next job when there is room, and polls those that run."""

import logging
import threading
import time
from collections.abc import Callable

from image_classifier.console.queueing.job import Job
from image_classifier.console.queueing.job_queue import JobQueue
from image_classifier.contract.errors import ExplainedError
from image_classifier.runners import experiment

_SECONDS = 1.0
"""Seconds between two status requests to jobs on this machine."""
_REMOTE_SECONDS = 15.0
"""Seconds between two status requests to a service, which limits their rate."""
_IDLE_SECONDS = 10.0
"""While nothing runs; a request wakes the thread."""
_LOG = logging.getLogger(__name__)


class Scheduler:
    """Runs at most `at_once` jobs at the same time on this machine; jobs elsewhere start at once.

    `make_room` is called before a job starts on this machine.
    """

    def __init__(self, queue: JobQueue, at_once: int, make_room: Callable[[], None] = lambda: None):
        self._queue, self._at_once, self._make_room = queue, at_once, make_room
        self._asked: dict[str, float] = {}
        self._starting: set[str] = set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)

    def start(self) -> None:
        """Start the thread, which ends with the process."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; jobs continue."""
        self._stopped.set()
        self._queue.wake.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._queue.wake.clear()
            try:
                self.step()
            except Exception:
                # The thread must not end: no job would start any more.
                _LOG.exception("The scheduler failed; it tries again.")
            self._queue.wake.wait(_SECONDS if self._queue.live() else _IDLE_SECONDS)

    def step(self) -> None:
        """Ask the running jobs for their status, then start those for which there is room."""
        for job in self._queue.live():
            if job.name not in self._starting and self._is_due(job):
                self._ask(job)
        for job in self._queue.in_queue():
            if (_is_elsewhere(job) or self._has_room()) and self._queue.begin(job):
                self._starting.add(job.name)
                # A start may take a while: a model is fetched, an image is looked up.
                threading.Thread(target=self._start, args=(job,), name=f"start-{job.name}", daemon=True).start()

    def _has_room(self) -> bool:
        return sum(not _is_elsewhere(job) for job in self._queue.live()) < self._at_once

    def _is_due(self, job: Job) -> bool:
        pause = _REMOTE_SECONDS if _is_elsewhere(job) else 0.0
        return time.monotonic() - self._asked.get(job.name, -pause) >= pause

    def _ask(self, job: Job) -> None:
        self._asked[job.name] = time.monotonic()
        try:
            status = self._queue.runner(job).status(job.folder)
        except (ExplainedError, OSError) as error:
            _LOG.warning("The status of job %s is not known: %s", job.name, error)
            return
        self._queue.update(job, status)

    def _start(self, job: Job) -> None:
        try:
            if not _is_elsewhere(job):
                self._make_room()
            self._queue.start(job)
        finally:
            self._starting.discard(job.name)
            self._queue.wake.set()


def _is_elsewhere(job: Job) -> bool:
    return job.experiment.runner == experiment.SAGEMAKER
