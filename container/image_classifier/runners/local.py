"""Jobs on this machine, as processes of their own: this module is a `Runner`.

A job is a session of processes whose leader is its supervisor (see `job_process`). Neither the process that started it
nor the supervisor is needed for it to finish, and no file is needed but those in its folder to find it again.
"""

import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from image_classifier.contract.errors import PlatformError, UserError, last_line
from image_classifier.runners import (
    chosen_model,
    experiment,
    folder_status,
    job_process,
    job_record,
    job_tree,
    log_reading,
    processes,
    workplace,
)
from image_classifier.runners.chosen_model import ChosenModel
from image_classifier.runners.experiment import Experiment
from image_classifier.runners.job import JobStatus, LogPart
from image_classifier.runners.job_record import JobRecord
from image_classifier.runners.job_tree import LocalJob
from image_classifier.runners.processes import ProcessRecord
from image_classifier.runners.workplace import Workplace

PYTHON = (sys.executable, "-P", "-m")
"""Runs a module of this program, whatever lies in the working folder."""
_MODEL_STEP = f"{__package__}.job_model"


def check(asked_for: Experiment, folder: Path, runner: str = experiment.LOCAL, options: Sequence[str] = ()) -> None:
    """See `Runner.check`; also for a runner whose jobs work in a folder of this machine and have these options.

    Raises:
        UserError: One message with every problem: of the experiment, its channels and its model, and of the folder.
    """
    problems = [*experiment.problems(asked_for), *not_on_this_machine(asked_for)]
    problems += experiment.unknown_options(asked_for, runner, options)
    try:
        if not problems:
            job_tree.check(local_job(asked_for, folder))
    except UserError as error:
        problems.append(str(error))
    if problems:
        raise UserError(" ".join(problems))


def not_on_this_machine(asked_for: Experiment) -> list[str]:
    """Return a sentence if channels are addresses elsewhere, which a job on this machine does not read."""
    remote = [f"{name} is {address}" for name, address in asked_for.channels.items() if experiment.is_s3(address)]
    if not remote:
        return []
    return [
        f"{' and '.join(remote)}, but a job on this machine reads folders. Copy the images here first, for example "
        "with aws s3 sync, or choose the runner sagemaker."
    ]


def model_of(asked_for: Experiment) -> ChosenModel:
    """Return the model that the job starts from, which may have to be fetched.

    Raises:
        UserError: It is neither in the catalogue nor on the disk, or contradicts a hyperparameter.
    """
    return chosen_model.choose(None if _is_remote(asked_for.model) else asked_for.model, settings_of(asked_for))


def settings_of(asked_for: Experiment) -> dict[str, str]:
    """Return the hyperparameters of the job, which fetches a model from S3 itself."""
    if asked_for.model is not None and _is_remote(asked_for.model):
        return {**asked_for.hyperparameters, "model_uri": asked_for.model}
    return dict(asked_for.hyperparameters)


def _is_remote(model: str | None) -> bool:
    return model is not None and experiment.is_s3(model)


def local_job(asked_for: Experiment, folder: Path) -> LocalJob:
    """Return the job in terms of this machine; its model is None where it is still to be fetched.

    Raises:
        UserError: See `model_of`.
    """
    folders = {name: Path(address) for name, address in asked_for.channels.items()}
    model = model_of(asked_for).path
    return LocalJob(model=model, output=folder, hyperparameters=settings_of(asked_for), **folders)


def steps(asked_for: Experiment, folder: Path, python: Sequence[str], train: Sequence[str]) -> list[list[str]]:
    """Return the commands of the job in their order; `python` runs a module of this program, `train` the job."""
    fetching = [*python, _MODEL_STEP, str(folder)]
    return [*([fetching] if model_of(asked_for).model_id else []), list(train)]


def start(asked_for: Experiment, folder: Path) -> None:
    """See `Runner.start`; a stopped job in the folder is resumed from its checkpoints, with a new log."""
    _start(asked_for, folder)


def _start(asked_for: Experiment, folder: Path, keep_log: bool = False) -> None:
    asked_for = experiment.absolute(replace(asked_for, runner=experiment.LOCAL))
    check(asked_for, folder)
    with workplace.opened(local_job(asked_for, folder), asked_for) as place:
        log = place.tree.base / job_tree.LOG
        if not keep_log:
            log.unlink(missing_ok=True)
        _supervise(place, steps(asked_for, place.tree.base, PYTHON, workplace.TRAIN), log)


def _supervise(place: Workplace, commands: Sequence[Sequence[str]], log: Path) -> None:
    """Start the supervisor and wait until the job can be found by its folder."""
    reading, writing = os.pipe()
    words = [str(place.tree.base), json.dumps(commands), str(place.lock), str(writing)]
    command = [*PYTHON, job_process.__name__, *words]
    try:
        processes.start(command, place.environment, log, kept_open=(place.lock, writing))
    finally:
        os.close(writing)
    try:
        # Nothing is left to read if the supervisor has exited.
        is_ready = os.read(reading, 1) == job_process.READY
    finally:
        os.close(reading)
    if not is_ready:
        output = log.read_text(encoding="utf-8", errors="replace")
        raise PlatformError(f"The job could not be started in {place.tree.base}: {last_line(output)}")


def status(folder: Path) -> JobStatus:
    """See `Runner.status`; records the end of a job whose supervisor was killed."""
    record = job_record.read(folder)
    members = processes.session(record.supervisor) if record else []
    if members:
        memory = processes.memory_bytes(members)
        return replace(folder_status.of_running(folder, record), memory_bytes=memory)
    return folder_status.of_silent(folder)


def stop(folder: Path, now: bool = False) -> None:
    """See `Runner.stop`.

    Raises:
        UserError: The folder holds no job that this runner started.
        PlatformError: The job belongs to another user.
    """
    record = job_record.read(folder)
    if record is None:
        raise UserError(f"{folder} holds no job that was started here, so there is nothing to stop.")
    members = processes.session(record.supervisor)
    if not members:
        return
    job_record.request_stop(folder, now)
    try:
        _signal(record, members, now)
    except PermissionError as error:
        raise PlatformError(f"The job in {folder} belongs to another user, who alone can stop it.") from error


def _signal(record: JobRecord, members: Sequence[ProcessRecord], now: bool) -> None:
    if now:
        # The supervisor stays to record the end, and follows its last step.
        processes.kill_session(record.supervisor, spared=(record.supervisor,))
        return
    processes.send(record.supervisor, signal.SIGTERM)
    # The supervisor passes it on, unless it is being killed; the job takes a second one for the same request.
    for member in processes.outermost([one for one in members if one != record.supervisor]):
        processes.send(member, signal.SIGTERM)


def resume(folder: Path) -> None:
    """See `Runner.resume`; the log continues."""
    folder_status.reject_resuming(folder, status(folder).state)
    _start(experiment.read(folder / experiment.FILE), folder, keep_log=True)


def log(folder: Path, offset: int = 0) -> LogPart:
    """See `Runner.log`."""
    return log_reading.part(folder / job_tree.LOG, offset)
