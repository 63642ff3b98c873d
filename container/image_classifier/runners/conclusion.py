"""The end of a job that left a model: its final state is recorded, and it replaces an earlier job on request."""

from dataclasses import dataclass
from pathlib import Path

from image_classifier.contract import hyperparameters
from image_classifier.contract.errors import ExplainedError
from image_classifier.contract.opt_ml import OptMl
from image_classifier.runners import job_record, job_result, job_state, job_tree
from image_classifier.runners.job_record import Identity, JobRecord
from image_classifier.runners.job_result import JobResult


@dataclass(frozen=True)
class Conclusion:
    """What a job has left, and where."""

    tree: OptMl
    """In the folder that was asked for, or beside it where an earlier job stays there."""
    result: JobResult


def conclude(tree: OptMl, output: Path, before: Identity | None) -> Conclusion | None:
    """Record the final state of a job that has ended without an error; None if it left no model.

    A job that worked beside an earlier one replaces it, unless it was stopped: then the earlier one stays.

    Args:
        tree: Where the job worked.
        output: The folder that was asked for.
        before: Identity of the report that was there before the job. A job that is stopped before its first epoch
            leaves that one.

    Raises:
        AlgorithmError: A report is missing or incomplete.
        UserError: See `job_tree.replace_job`.
        OSError: A file cannot be written or moved.
    """
    if job_record.report_identity(tree) == before:
        return None
    result = job_result.read(tree)
    if tree.base != output.resolve() and not result.was_stopped:
        job_tree.replace_job(tree.base, output)
        tree = OptMl(output.resolve())
    state = job_state.STOPPED if result.was_stopped else job_state.FINISHED
    job_state.record(tree.base, state, result.accuracy)
    return Conclusion(tree, result)


def is_complete(tree: OptMl, record: JobRecord) -> bool:
    """Return whether a job that a signal ended, or that ended unseen, had written the last of its files."""
    if job_record.report_identity(tree) == record.report_before or tree.failure_file.exists():
        return False
    try:
        result = job_result.read(tree)
        wants_report = hyperparameters.parse(tree.read_hyperparameters()).values.report
    except ExplainedError:
        return False
    return result.was_stopped or result.verdict is not None or not wants_report
