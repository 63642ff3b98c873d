"""The status of a job by the files in its folder, for runners whose jobs work in a folder of this machine."""

import signal
from dataclasses import replace
from pathlib import Path

from image_classifier import own_files
from image_classifier.contract.errors import UserError
from image_classifier.contract.opt_ml import OptMl
from image_classifier.runners import job_process, job_record, job_state, job_tree, log_reading
from image_classifier.runners.job import JobStatus, State
from image_classifier.runners.job_record import JobRecord
from image_classifier.runners.job_state import JobState
from image_classifier.runners.log_reading import LogProgress

_UNSEEN = (
    "The job's processes have gone without a result: they were killed, or the machine was restarted. Resume it: it "
    "continues from its last checkpoint."
)
_KILLED = (
    "The job was killed (SIGKILL), most likely because memory ran out. Close other programs or lower batch_size, then "
    "resume it: it continues from its last checkpoint."
)


def of_running(folder: Path, record: JobRecord | None) -> JobStatus:
    """Return the status of a job whose processes exist; `record` is None for one that no runner started.

    Raises:
        OSError: The log cannot be read.
    """
    progress = _progress(folder)
    state = State.RUNNING if progress.offset else State.STARTING
    if job_record.stop_request(folder):
        state = State.STOPPING
    found = progress.with_phase(progress.with_history(JobStatus(state)))
    return replace(found, started=record.started if record else None)


def of_silent(folder: Path) -> JobStatus:
    """Return the status of a job of which no process can be seen, and record its end if its supervisor has not.

    A process that cannot be seen, such as one in a container, holds the folder's lock while it runs.

    Raises:
        UserError: The folder holds no job.
        OSError: A file cannot be read.
    """
    record = job_record.read(folder)
    if record is None or record.ended is None:
        try:
            with own_files.used_alone(folder):
                record = _adopted(folder)
        except UserError:
            return of_running(folder, record)
        except FileNotFoundError as error:
            raise UserError(f"The folder {folder} does not exist, so it holds no job.") from error
    state = job_state.read(folder)
    if record is None and state is None and not own_files.is_marked(folder, job_tree.WRITER):
        raise UserError(f"{folder} holds no job that was started on this machine. Give the --output of one.")
    return of_ended(folder, record, state)


def _adopted(folder: Path) -> JobRecord | None:
    """Record the end of a job whose supervisor did not; under the folder's lock."""
    # Read once more: it may have been recorded before the lock was released.
    record = job_record.read(folder)
    if record is None or record.ended is not None:
        return record
    log = folder / job_tree.LOG
    ended = log.stat().st_mtime if log.exists() else record.started
    return job_process.record_end(folder, record, None, ended)


def reject_resuming(folder: Path, state: State) -> None:
    """Ensure that the job in a folder can be resumed.

    Raises:
        UserError: It runs, or has finished.
    """
    if not state.can_resume:
        raise UserError(f"The job in {folder} is {state}; only one that was stopped, failed or lost can be resumed.")


def of_ended(folder: Path, record: JobRecord | None, state: JobState | None) -> JobStatus:
    """Return the status of a job that has ended; `state` is that of a job that left a model."""
    found = _progress(folder).with_history(_outcome(folder, record, state))
    return replace(found, started=record.started, ended=record.ended) if record else found


def _outcome(folder: Path, record: JobRecord | None, state: JobState | None) -> JobStatus:
    if state is not None:
        return JobStatus(State(state.state), accuracy=state.accuracy)
    code = record.exit_code if record else None
    if code == 0:
        # Before its first epoch.
        return JobStatus(State.STOPPED)
    was_killed = code is None or code < 0
    if was_killed and job_record.stop_request(folder):
        return JobStatus(State.STOPPED)
    if failure := _failure(folder):
        return JobStatus(State.FAILED, failure=failure)
    if was_killed:
        return JobStatus(State.LOST, failure=_reason(code))
    last = _progress(folder).last_line or "Its log is empty."
    return JobStatus(State.FAILED, failure=f"The job ended with exit code {code}. {last}")


def _reason(code: int | None) -> str:
    if code is None:
        return _UNSEEN
    if code == -signal.SIGKILL:
        return _KILLED
    return (
        f"The job was killed by signal {-code} ({signal.strsignal(-code)}). Resume it, or look at the end of its log."
    )


def _failure(folder: Path) -> str | None:
    """Return the sentence of the failure file; a traceback below it is for the log."""
    try:
        text = OptMl(folder).failure_file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.strip().split("\n\n")[0] or None


def _progress(folder: Path) -> LogProgress:
    return log_reading.follow(folder / job_tree.LOG, folder / log_reading.FILE)
