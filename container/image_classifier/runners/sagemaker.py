"""Jobs on SageMaker: this module is a `Runner`.

`start` leaves a process behind that uploads, creates the job, follows it and fetches its result into the folder; see
`sagemaker_job.process`. The job does not need it: `status` starts another one when it has gone.
"""

import contextlib
import os
import shlex
import sys
import time
from pathlib import Path
from typing import Any

from image_classifier import PROGRAM, own_files
from image_classifier.cloud.s3 import Location
from image_classifier.cloud.sagemaker import calls, capacity, names, options, session
from image_classifier.cloud.sagemaker.kinds import TRAINING_JOB
from image_classifier.cloud.sagemaker.options import TrainingOptions
from image_classifier.cloud.sagemaker.training import create_training_job
from image_classifier.contract.errors import UserError
from image_classifier.contract.opt_ml import OptMl
from image_classifier.runners import experiment, job_record, job_state, job_tree, log_reading, processes
from image_classifier.runners.experiment import Experiment
from image_classifier.runners.job import JobStatus, LogPart
from image_classifier.runners.sagemaker_job import inputs, outcome, process, record
from image_classifier.runners.sagemaker_job.record import Record

PROCESS_LOG = "sagemaker.log"
"""Output of the process that follows the job: empty unless it crashes."""
_COMMAND = (sys.executable, "-P", "-m", process.__name__)


def check(asked_for: Experiment, folder: Path) -> None:
    """See `Runner.check`; asks AWS for nothing.

    Raises:
        UserError: One message with every problem: of the experiment, its options, its channels, its model, the folder,
            and of the request that would be sent.
    """
    problems = experiment.problems(asked_for)
    try:
        problems += options.missing(inputs.options_of(asked_for))
    except UserError as error:
        problems.append(str(error))
    problems += [
        f"{name} is {address}, which is not a folder. Give a folder with one sub-folder per class, or an s3:// URI."
        for name, address in asked_for.channels.items()
        if not experiment.is_address(address) and not Path(address).is_dir()
    ]
    for checked in (lambda: inputs.chosen(asked_for), lambda: _check_folder(folder)):
        try:
            checked()
        except UserError as error:
            problems.append(str(error))
    if problems:
        raise UserError(" ".join(problems))
    given = inputs.options_of(asked_for)
    project = given.storage(session.open_session(given.region, given.profile).region)
    _request(asked_for, given, project, inputs.unread_sources(asked_for, project))


def _check_folder(folder: Path) -> None:
    """Ensure that the folder is new, empty, or holds what was asked for, or an unfinished job of another runner."""
    if record.read(folder):
        raise UserError(
            f"--output {folder} holds a job on SageMaker already. scripts/launch resume {shlex.quote(str(folder))} "
            "resumes one that was stopped or failed; for another job give a new folder."
        )
    job_state.work_folder(folder, overwrite=False)
    if folder.is_dir() and {path.name for path in folder.iterdir()} <= {experiment.FILE}:
        return
    own_files.reject_foreign_folder(folder, "--output", job_tree.WRITER)


def plan(asked_for: Experiment) -> list[dict[str, Any]]:
    """Return every request of a start in order, as a dry run prints them; asks AWS for nothing.

    Raises:
        UserError: An option is invalid, an input cannot be read, or AWS would reject the request.
    """
    given = inputs.options_of(asked_for)
    project = given.storage(session.open_session(given.region, given.profile).region)
    model = inputs.chosen(asked_for)
    local = inputs.sources(asked_for, project, model.path, needs_staging=model.model_id is not None)
    call = _request(asked_for, given, project, local)
    kept = inputs.experiment_file(project, call.parameters["TrainingJobName"]).uri
    written = {"service": "s3", "operation": "PutObject", "parameters": {"from": experiment.FILE, "to": kept}}
    return [*(source.as_json() for source in local), written, call.as_json()]


def _request(
    asked_for: Experiment, given: TrainingOptions, project: Location, local: list[inputs.Source]
) -> calls.Call:
    name = names.unique(asked_for.name)
    # With spot instances each of several types is a job of its own.
    variants = capacity.attempts(given).variants
    found = [create_training_job(inputs.training_job(asked_for, one, project, local, name, name)) for one in variants]
    calls.validate(found)
    return found[0]


def start(asked_for: Experiment, folder: Path) -> None:
    """See `Runner.start`."""
    asked_for = experiment.absolute(asked_for)
    check(asked_for, folder)
    given = inputs.options_of(asked_for)
    region = session.open_session(given.region, given.profile).region
    name = names.unique(asked_for.name)
    folder.mkdir(parents=True, exist_ok=True)
    with own_files.used_alone(folder) as lock:
        own_files.mark(folder, job_tree.WRITER)
        OptMl(folder).lay_out(asked_for.hyperparameters)
        experiment.write(folder / experiment.FILE, asked_for)
        for file in (job_tree.LOG, log_reading.FILE, job_record.STOP_FILE):
            (folder / file).unlink(missing_ok=True)
        made = Record(
            job=name,
            region=region,
            profile=given.profile,
            storage=given.storage(region).uri,
            checkpoints=name,
            requested=time.time(),
        )
        record.write(folder, made)
        _follow(folder, lock)


def _follow(folder: Path, lock: int) -> None:
    """Start the process that follows the job; it inherits the folder's lock, so that no other one does."""
    paths = os.pathsep.join(filter(None, (str(PROGRAM), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": paths}
    processes.start([*_COMMAND, str(folder.resolve())], environment, folder / PROCESS_LOG, kept_open=(lock,))


def _read(folder: Path) -> Record:
    found = record.read(folder)
    if found is None:
        raise UserError(
            f"{folder} holds no job that was started on SageMaker. Give the folder that was its --output; "
            "scripts/launch status without a folder lists what lies on AWS."
        )
    return found


def status(folder: Path) -> JobStatus:
    """See `Runner.status`; reads files alone, and starts a process to follow the job if none does."""
    found = _read(folder)
    if not found.is_over:
        # Another process that has the lock follows the job.
        with contextlib.suppress(UserError), own_files.used_alone(folder) as lock:
            _follow(folder, lock)
    return outcome.status(folder, found)


def stop(folder: Path, now: bool = False) -> None:
    """See `Runner.stop`. The platform knows one way to stop, so that the model is saved with `now` too.

    Raises:
        ExplainedError: AWS rejects the request or cannot be reached.
    """
    found = _read(folder)
    if found.is_over or found.platform.is_over:
        return
    # Recorded first: a process that is uploading creates no job then.
    job_record.request_stop(folder, now)
    if found.platform.status:
        session.open_session(found.region, found.profile).find(TRAINING_JOB.call("Stop", found.job))


def resume(folder: Path) -> None:
    """See `Runner.resume`: another job on the platform, from the checkpoints of the first; the log continues."""
    found = _read(folder)
    state = outcome.status(folder, found).state
    if not state.can_resume:
        raise UserError(f"The job in {folder} is {state}; only one that was stopped or failed can be resumed.")
    log = folder / job_tree.LOG
    made = Record(
        job=names.unique(experiment.read(folder / experiment.FILE).name),
        region=found.region,
        profile=found.profile,
        storage=found.storage,
        checkpoints=found.checkpoints,
        requested=time.time(),
        log_bytes=log.stat().st_size if log.exists() else 0,
    )
    with own_files.used_alone(folder) as lock:
        for file in (job_state.STATE_FILE, job_record.STOP_FILE):
            (folder / file).unlink(missing_ok=True)
        OptMl(folder).failure_file.unlink(missing_ok=True)
        record.write(folder, made)
        _follow(folder, lock)


def log(folder: Path, offset: int = 0) -> LogPart:
    """See `Runner.log`."""
    return log_reading.part(folder / job_tree.LOG, offset)
