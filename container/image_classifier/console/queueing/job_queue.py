"""The jobs of one console: asked for, listed, stopped, resumed; safe to be used by all threads of the process."""

import contextlib
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from image_classifier.console.events import EventHub
from image_classifier.console.index import statuses
from image_classifier.console.index.database import Index
from image_classifier.console.queueing import waiting
from image_classifier.console.queueing.job import Job
from image_classifier.console.queueing.stored_jobs import StoredJobs
from image_classifier.contract.errors import ExplainedError, UserError
from image_classifier.runners import experiment as experiments
from image_classifier.runners.experiment import Experiment
from image_classifier.runners.job import JobStatus, Runner, State

TOPIC = "jobs"
PROGRESS, STATE = "progress", "state"
_LOG = logging.getLogger(__name__)


class JobQueue:
    """Every job of a console; the folders are the truth, this is what is known of them."""

    def __init__(self, home: Path, runners: Mapping[str, Runner], index: Index, events: EventHub):
        self._home, self._index, self._events = home, index, events
        self._stored = StoredJobs(home, runners, index)
        self._lock = threading.RLock()
        self.wake = threading.Event()
        """Set when a scheduler has something to do at once."""
        self._jobs = self._stored.read()
        self._unwanted: set[str] = set()
        """Jobs that are to be stopped as soon as they have started."""
        self._renumber()

    # What is there

    def jobs(self) -> tuple[Job, ...]:
        """Return all jobs: those that run, then the queue in its order, then those that are over, the latest first."""
        with self._lock:
            found = tuple(self._jobs.values())
        return tuple(sorted(found, key=_order))

    def find(self, name: str) -> Job | None:
        """Return a job by its name."""
        with self._lock:
            return self._jobs.get(name)

    def runner(self, job: Job) -> Runner:
        """Return the runner of a job.

        Raises:
            UserError: This console has no such runner.
        """
        return self._stored.runner(job.experiment)

    def free_name(self, wanted: str) -> str:
        """Return a name for a new job that resembles `wanted`: itself, or with a number behind it."""
        stem = experiments.name_from(wanted)
        number, name = 1, stem
        with self._lock:
            while name in self._jobs or self._stored.folder(name).exists():
                number += 1
                name = f"{stem[: 63 - len(str(number)) - 1].rstrip('-')}-{number}"
        return name

    # What is asked for

    def add(self, asked: Experiment) -> Job:
        """Put a new job at the end of the queue, durably; a scheduler starts it.

        Its name must be free, see `free_name`.

        Raises:
            ExplainedError: It cannot be started: see `Runner.check`; or its name is taken. Nothing was changed.
            OSError: The disk is full or not writable; nothing was changed.
        """
        asked = experiments.absolute(asked)
        folder = self._stored.folder(asked.name)
        self._stored.runner(asked).check(asked, folder)
        with self._lock:
            if asked.name in self._jobs or folder.exists():
                raise UserError(f"A job named {asked.name} exists. Choose another name.")
            return self._enqueue(Job(asked.name, folder, asked, JobStatus(State.QUEUED), time.time()))

    def resume(self, name: str) -> Job:
        """Put a job that was stopped, lost or has failed back into the queue.

        Raises:
            UserError: It does not exist, runs, waits, or has finished.
            OSError: The disk is full or not writable; nothing was changed.
        """
        with self._lock:
            job = self._existing(name)
            if not job.status.state.can_resume:
                raise UserError(f"Job {name} is {job.status.state}; only a job that has not finished can be resumed.")
            return self._enqueue(replace(job, status=JobStatus(State.QUEUED), requested=time.time()))

    def _enqueue(self, job: Job) -> Job:
        waiting.write(self._home, job.experiment)
        self._jobs[job.name] = replace(job, position=1 + len(self._in_queue()))
        self._save_order()
        self._tell(job.name, STATE)
        self.wake.set()
        return self._jobs[job.name]

    def stop(self, name: str, now: bool = False) -> None:
        """Stop a job, with `now` without saving its best model; one that waits is taken out of the queue.

        Raises:
            ExplainedError: It does not exist, or its runner cannot stop it.
        """
        with self._lock:
            job = self._existing(name)
            if job.is_waiting:
                self._take_back(job)
                return
            if job.status.state == State.STARTING:
                self._unwanted.add(name)
                self.update(job, replace(job.status, state=State.STOPPING))
                return
        self.runner(job).stop(job.folder, now)
        if job.is_live:
            self.update(job, replace(job.status, state=State.STOPPING))
        self.wake.set()

    def _take_back(self, job: Job) -> None:
        waiting.remove(self._home, job.name)
        del self._jobs[job.name]
        if job.folder.exists():
            self._jobs[job.name] = self._stored.of_folder(job.folder, {})
        self._renumber()
        self._tell(job.name, STATE)

    def move_first(self, name: str) -> None:
        """Let a waiting job be the next one.

        Raises:
            UserError: It does not exist, or does not wait.
        """
        with self._lock:
            job = self._existing(name)
            if not job.is_waiting:
                raise UserError(f"Job {name} is {job.status.state}; it does not wait.")
            self._jobs[name] = replace(job, position=0)
            self._renumber()
            self._tell(name, STATE)

    def _existing(self, name: str) -> Job:
        if name not in self._jobs:
            raise UserError(f"Job {name} does not exist. The Jobs screen lists those that do.")
        return self._jobs[name]

    # What a scheduler does

    def next_waiting(self) -> Job | None:
        """Return the first job of the queue."""
        with self._lock:
            return next(iter(self._in_queue()), None)

    def in_queue(self) -> tuple[Job, ...]:
        """Return the queue in its order."""
        with self._lock:
            return tuple(self._in_queue())

    def live(self) -> tuple[Job, ...]:
        """Return the jobs of which something runs."""
        with self._lock:
            return tuple(job for job in self._jobs.values() if job.is_live)

    def begin(self, job: Job) -> bool:
        """Mark a waiting job as starting; return whether it still waits."""
        with self._lock:
            if (found := self._jobs.get(job.name)) is None or not found.is_waiting:
                return False
            self._jobs[job.name] = replace(found, status=JobStatus(State.STARTING, started=time.time()), position=None)
            self._renumber()
            self._tell(job.name, STATE)
        return True

    def start(self, job: Job) -> None:
        """Start or resume a job that `begin` has marked, by its runner; record why if that is not possible."""
        try:
            runner = self.runner(job)
            if (job.folder / experiments.FILE).exists():
                runner.resume(job.folder)
            else:
                runner.start(job.experiment, job.folder)
            waiting.remove(self._home, job.name)
            if job.name in self._unwanted:
                runner.stop(job.folder, now=True)
            status = runner.status(job.folder)
        except Exception as error:
            # Of whatever kind: a job may not be starting for ever.
            expected = isinstance(error, ExplainedError | OSError)
            _LOG.warning("Job %s was not started: %s", job.name, error, exc_info=None if expected else error)
            with contextlib.suppress(OSError):
                waiting.fail(self._home, job.name, str(error))
            status = JobStatus(State.FAILED, failure=str(error), ended=time.time())
        finally:
            self._unwanted.discard(job.name)
        self.update(job, status)

    def update(self, job: Job, status: JobStatus) -> None:
        """Take over a new status of a job."""
        with self._lock:
            before = self._jobs.get(job.name)
            if before is None or before.status == status:
                return
            self._jobs[job.name] = replace(before, status=status, position=None)
            self._tell(job.name, PROGRESS if before.status.state == status.state else STATE)
        if status.state.is_over:
            statuses.save(self._index, job.name, job.folder, status)

    # The order of the queue

    def _in_queue(self) -> list[Job]:
        found = [job for job in self._jobs.values() if job.is_waiting]
        return sorted(found, key=lambda job: (job.position if job.position is not None else len(found), job.requested))

    def _renumber(self) -> None:
        for position, job in enumerate(self._in_queue(), start=1):
            self._jobs[job.name] = replace(job, position=position)
        self._save_order()

    def _save_order(self) -> None:
        self._index.replace("queue", ("name", "position"), [(job.name, job.position) for job in self._in_queue()])

    def _tell(self, name: str, kind: str) -> None:
        self._events.publish(f"{TOPIC}/{name}/", kind)


def _order(job: Job) -> tuple[int, float]:
    if job.is_live:
        return 0, -(job.status.started or job.requested)
    if job.is_waiting:
        return 1, job.position or 0
    return 2, -(job.status.ended or job.requested)
