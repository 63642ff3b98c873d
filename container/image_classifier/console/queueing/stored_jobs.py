"""The jobs of a console as its folders have them: those that have begun, and those that wait in the queue."""

import contextlib
from collections.abc import Mapping
from pathlib import Path

from image_classifier.console.index import statuses
from image_classifier.console.index.database import Index
from image_classifier.console.queueing import waiting
from image_classifier.console.queueing.job import Job
from image_classifier.contract.errors import ExplainedError, UserError
from image_classifier.runners import experiment as experiments
from image_classifier.runners.experiment import Experiment
from image_classifier.runners.job import JobStatus, Runner, State

_JOBS = "jobs"


class StoredJobs:
    """Reads the jobs below a home folder; the index spares the logs of those that are over."""

    def __init__(self, home: Path, runners: Mapping[str, Runner], index: Index):
        self._home, self._runners, self._index = home, runners, index

    def folder(self, name: str) -> Path:
        """Return the folder of a job, whether it exists or not."""
        return self._home / _JOBS / name

    def runner(self, asked: Experiment) -> Runner:
        """Return the runner that an experiment names.

        Raises:
            UserError: This console has no such runner.
        """
        if asked.runner not in self._runners:
            raise UserError(
                f"Runner {asked.runner} is not available here; expected one of: {', '.join(self._runners)}."
            )
        return self._runners[asked.runner]

    def read(self) -> dict[str, Job]:
        """Return every job by its name; those that wait have positions in the order of the queue, with gaps."""
        known = statuses.load(self._index)
        folders = sorted(path.parent for path in (self._home / _JOBS).glob(f"*/{experiments.FILE}"))
        found = {folder.name: self.of_folder(folder, known) for folder in folders}
        order = dict(self._index.read("SELECT name, position FROM queue"))
        asked = waiting.read(self._home)
        for one in asked:
            found[one.name] = self._of_queue(one, order.get(one.name, len(asked)), found.get(one.name))
        if gone := [name for name in known if name not in found]:
            statuses.forget(self._index, gone)
        return found

    def of_folder(self, folder: Path, known: Mapping[str, tuple[str, JobStatus]]) -> Job:
        """Return the job of a folder; `known` are signatures and statuses by name, as `statuses.load` returns them."""
        try:
            asked = experiments.read(folder / experiments.FILE)
            requested = (folder / experiments.FILE).stat().st_mtime
        except (ExplainedError, OSError) as error:
            unknown = Experiment(folder.name, "")
            return Job(folder.name, folder, unknown, JobStatus(State.LOST, failure=str(error)), 0.0)
        signed, status = known.get(folder.name, ("", None))
        if status is None or signed != statuses.signature(folder):
            status = self._status(asked, folder)
        return Job(folder.name, folder, asked, status, requested)

    def _of_queue(self, one: waiting.Waiting, position: int, begun: Job | None) -> Job:
        folder = self.folder(one.name)
        if one.failure is not None:
            return Job(one.name, folder, one.experiment, JobStatus(State.FAILED, failure=one.failure), one.requested)
        if begun is not None and (begun.is_live or begun.status.state == State.FINISHED):
            # The console was killed between the start of the job and the removal from the queue.
            with contextlib.suppress(OSError):
                waiting.remove(self._home, one.name)
            return begun
        return Job(one.name, folder, one.experiment, JobStatus(State.QUEUED), one.requested, position)

    def _status(self, asked: Experiment, folder: Path) -> JobStatus:
        try:
            status = self.runner(asked).status(folder)
        except (ExplainedError, OSError) as error:
            return JobStatus(State.LOST, failure=str(error))
        if status.state.is_over:
            statuses.save(self._index, folder.name, folder, status)
        return status
