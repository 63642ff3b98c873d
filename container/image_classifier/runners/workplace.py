"""The folder in which a job of this machine works: checked, locked, laid out, and never shared by two jobs."""

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

from image_classifier import PROGRAM, own_files
from image_classifier.contract.errors import UserError, cause
from image_classifier.contract.opt_ml import BASE_DIR_VARIABLE, OptMl
from image_classifier.runners import experiment, job_record, job_state, job_tree
from image_classifier.runners.experiment import Experiment
from image_classifier.runners.job_record import Identity
from image_classifier.runners.job_tree import LocalJob

TRAIN = (sys.executable, str(PROGRAM / "train"))
"""The command of a job."""


@dataclass(frozen=True)
class Workplace:
    """A folder that is laid out for one job and locked."""

    tree: OptMl
    lock: int
    """A descriptor: the lock lasts until every process that has it open has closed it."""
    report_before: Identity | None
    """Of an earlier job in this folder."""

    @property
    def environment(self) -> dict[str, str]:
        """The variables of this process, and those that tell the job where it works."""
        paths = os.pathsep.join(filter(None, (str(PROGRAM), os.environ.get("PYTHONPATH"))))
        own = {BASE_DIR_VARIABLE: str(self.tree.base), "PYTHONUNBUFFERED": "1", "PYTHONPATH": paths}
        return {**os.environ, **own}


@contextlib.contextmanager
def opened(job: LocalJob, asked_for: Experiment, overwrite: bool = False) -> Iterator[Workplace]:
    """Check the job, lock its folder and lay it out; the lock is held until the block is left.

    Args:
        job: The inputs and the output folder.
        asked_for: What the folder keeps as `experiment.toml`.
        overwrite: Work beside a finished job, which `conclusion.conclude` replaces.

    Raises:
        UserError: See `job_tree.check` and `job_state.work_folder`; nothing was changed then. Or another job is running
            in the folder.
    """
    job_tree.check(job)
    work = job_state.work_folder(job.output, overwrite)
    job_tree.check(replace(job, output=work))
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"--output {job.output} cannot be made: {cause(error)}. Look at that path and its disk."
        ) from error
    with own_files.used_alone(work) as lock:
        if work != job.output:
            job_tree.empty(work)
        tree = job_tree.build_tree(replace(job, output=work))
        experiment.write(tree.base / experiment.FILE, asked_for)
        yield Workplace(tree, lock, job_record.report_identity(tree))
