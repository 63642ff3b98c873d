"""Jobs in containers of the Docker image: this module is a `Runner`.

A container runs the same supervisor as a local job, on the same folder at the same path: it writes the same files, and
holds the same lock. Its name follows from the folder, so that it is found again after a restart of whatever started it.
"""

import csv
import hashlib
import io
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from image_classifier.contract.errors import PlatformError, UserError, last_line
from image_classifier.contract.opt_ml import BASE_DIR_VARIABLE
from image_classifier.model_hub import packages
from image_classifier.runners import (
    docker_engine,
    experiment,
    folder_status,
    job_process,
    job_record,
    job_tree,
    local,
    log_reading,
    processes,
    workplace,
)
from image_classifier.runners.experiment import Experiment
from image_classifier.runners.experiment_values import Option
from image_classifier.runners.job import JobStatus, LogPart
from image_classifier.runners.job_tree import LocalJob

IMAGE_VARIABLE = "IMAGE_CLASSIFIER_IMAGE"
DEFAULT_IMAGE = "image-classifier:cpu"
OPTIONS = ("image", "gpus", "memory", "network")
"""Of the table [docker] of an experiment: the image, and what docker run takes under these names."""
LABEL = "image-classifier.job"
_BUILD = "scripts/build --target cpu"
_PROGRAM = "/opt/program"
_PYTHON = ("python", "-P", "-m")
TRAIN = ("python", f"{_PROGRAM}/train")
"""The command of a job inside the image."""
_STOP_SECONDS = 600
"""After docker stop, until a job that has not saved its model yet is killed."""
_REMOVAL_SECONDS = 20
_PASSED_ON = (
    *("http_proxy", "https_proxy", "no_proxy"),
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST"),
)
"""Variables for the package that a model is staged from, as in docker/run-locally."""


def check(asked_for: Experiment, folder: Path) -> None:
    """See `Runner.check`.

    Raises:
        UserError: One message with every problem: of the experiment, its channels and its model, and of the folder.
        PlatformError: Docker or its image is missing, or this user may not use it.
    """
    local.check(asked_for, folder, experiment.DOCKER, OPTIONS)
    if reason := docker_engine.lacks(_image(asked_for.options.get(experiment.DOCKER, {})), _BUILD):
        raise PlatformError(reason)


def start(asked_for: Experiment, folder: Path) -> None:
    """See `Runner.start`; a stopped job in the folder is resumed from its checkpoints, with a new log."""
    _start(asked_for, folder)


def _start(asked_for: Experiment, folder: Path, keep_log: bool = False) -> None:
    asked_for = experiment.absolute(replace(asked_for, runner=experiment.DOCKER))
    check(asked_for, folder)
    job = local.local_job(asked_for, folder)
    _await_removal(folder)
    # The supervisor in the container waits for the lock, which this process holds until the container runs.
    with workplace.opened(job, asked_for) as place:
        base = place.tree.base
        if not keep_log:
            (base / job_tree.LOG).unlink(missing_ok=True)
        # Created here: what Docker creates for a mount belongs to root.
        packages.cache_folder().mkdir(parents=True, exist_ok=True)
        done = docker_engine.ask(*_command(asked_for, replace(job, output=base)))
        if done.returncode != 0:
            raise PlatformError(f"Docker could not start the job: {last_line(done.stderr)}")


def _await_removal(folder: Path) -> None:
    """Wait until the container of an earlier run of the job has gone: Docker removes it after the job has ended."""
    name, deadline = name_of(folder), time.monotonic() + _REMOVAL_SECONDS
    while (found := docker_engine.state(name)) and time.monotonic() < deadline:
        record = job_record.read(folder)
        if found.get("Running") and (record is None or record.ended is None):
            # It runs: the lock of its folder says so.
            return
        time.sleep(0.1)


def _command(asked_for: Experiment, job: LocalJob) -> list[str]:
    folder, options = job.output, asked_for.options.get(experiment.DOCKER, {})
    steps = local.steps(asked_for, folder, _PYTHON, TRAIN)
    variables = {
        BASE_DIR_VARIABLE: str(folder),
        "HOME": "/tmp",
        packages.CACHE_VARIABLE: str(packages.cache_folder().resolve()),
        "PYTHONPATH": _PROGRAM,
        "PYTHONUNBUFFERED": "1",
    }
    extra = [f"--{name}={options[name]}" for name in OPTIONS[1:] if name in options]
    return [
        *("run", "--detach", "--rm", "--name", name_of(folder), "--label", f"{LABEL}={folder}"),
        *("--user", f"{os.getuid()}:{os.getgid()}", "--stop-timeout", str(_STOP_SECONDS)),
        *(word for name, value in variables.items() for word in ("--env", f"{name}={value}")),
        *(word for name in _PASSED_ON if name in os.environ for word in ("--env", name)),
        *(word for source, is_read_only in _mounts(job).items() for word in ("--mount", _mount(source, is_read_only))),
        *(*extra, "--entrypoint", _PYTHON[0], _image(options), *_PYTHON[1:]),
        *(job_process.__name__, str(folder), json.dumps(steps)),
    ]


def _mounts(job: LocalJob) -> dict[Path, bool]:
    """Return the paths that the container sees under the same names, and whether they are read-only."""
    given = [folder.resolve() for folder in (*job.channels.values(), *([job.model] if job.model else []))]
    found = dict.fromkeys(given, True)
    for folder in given:
        found |= dict.fromkeys(_targets(folder), True)
    return {**found, packages.cache_folder().resolve(): False, job.output: False}


def _targets(folder: Path) -> set[Path]:
    """Return the folders outside that links in a folder lead to: a set of relabelled images is a folder of links."""
    found = {Path(os.path.realpath(link)).parent for link in _links(folder)}
    return {one for one in found if one.is_dir() and not one.is_relative_to(folder)}


def _links(folder: Path) -> Iterator[str]:
    if not folder.is_dir():
        return
    for entry in os.scandir(folder):
        if entry.is_symlink():
            yield entry.path
        elif entry.is_dir():
            yield from _links(Path(entry.path))


def _mount(path: Path, is_read_only: bool) -> str:
    # Docker reads the option as a line of CSV: names may have commas, quotes and colons.
    line = io.StringIO()
    fields = ["type=bind", f"source={path}", f"target={path}", *(["readonly"] if is_read_only else [])]
    csv.writer(line, lineterminator="").writerow(fields)
    return line.getvalue()


def _image(options: Mapping[str, Option]) -> str:
    return str(options.get("image") or os.environ.get(IMAGE_VARIABLE) or DEFAULT_IMAGE)


def name_of(folder: Path) -> str:
    """Return the name of the container of a job's folder."""
    return f"image-classifier-job-{hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]}"


def status(folder: Path) -> JobStatus:
    """See `Runner.status`; records the end of a job whose supervisor was killed.

    Raises:
        PlatformError: Docker does not answer, and the folder does not say that the job is over.
    """
    record = job_record.read(folder)
    if record is not None and record.ended is not None:
        return folder_status.of_silent(folder)
    found = docker_engine.state(name_of(folder))
    if found is None or not found.get("Running"):
        return folder_status.of_silent(folder)
    memory = _memory_bytes(int(found["Pid"]), str(found["Id"]))
    return replace(folder_status.of_running(folder, record), memory_bytes=memory, extra={"container": name_of(folder)})


def _memory_bytes(pid: int, container: str) -> int | None:
    """Return the memory of a container's processes; None where its engine runs in a virtual machine."""
    try:
        if container not in Path(f"/proc/{pid}/cgroup").read_text(encoding="ascii"):
            return None
        return processes.memory_bytes(processes.session(processes.record(pid)))
    except (OSError, ProcessLookupError):
        return None


def stop(folder: Path, now: bool = False) -> None:
    """See `Runner.stop`.

    Raises:
        UserError: The folder holds no job.
        PlatformError: Docker does not answer.
    """
    if not (folder / experiment.FILE).exists():
        raise UserError(f"{folder} holds no job, so there is nothing to stop.")
    found = docker_engine.state(name_of(folder))
    if found is None or not found.get("Running"):
        return
    job_record.request_stop(folder, now)
    # Not docker stop, which waits: the supervisor passes SIGTERM on, and the job saves its best model.
    docker_engine.ask("kill", "--signal", "KILL" if now else "TERM", name_of(folder))


def resume(folder: Path) -> None:
    """See `Runner.resume`; the log continues."""
    folder_status.reject_resuming(folder, status(folder).state)
    _start(experiment.read(folder / experiment.FILE), folder, keep_log=True)


def log(folder: Path, offset: int = 0) -> LogPart:
    """See `Runner.log`."""
    return log_reading.part(folder / job_tree.LOG, offset)
