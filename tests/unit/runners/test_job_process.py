"""The supervisor of a job as a process, without a starter, as in a container."""

import json
import os
import subprocess
import sys
from pathlib import Path

from image_classifier import own_files
from image_classifier.contract.opt_ml import BASE_DIR_VARIABLE
from image_classifier.runners import job_process, job_record
from image_classifier.runners.job_record import JobRecord
from tests.support import fake_training
from tests.support.waiting import wait_until


def begin(folder: Path, *commands: tuple[str, ...]) -> subprocess.Popen[bytes]:
    """Start the supervisor on a folder."""
    words = [sys.executable, "-m", job_process.__name__, str(folder), json.dumps(commands)]
    variables = {**os.environ, BASE_DIR_VARIABLE: str(folder), "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(words, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def ended(folder: Path) -> JobRecord:
    """Return the record of a job that has ended."""
    found = job_record.read(folder)
    assert found is not None
    assert found.ended is not None
    return found


def test_supervisor_waits_for_the_lock_of_its_starter(tmp_path: Path) -> None:
    """Given a folder that is still locked -> the steps run when it is released, and write into the folder's log."""
    with own_files.used_alone(tmp_path):
        process = begin(tmp_path, ("echo", "one"), fake_training.command(0.01))
        wait_until((tmp_path / job_record.LOG).exists, 20, "the supervisor has opened the log")
        assert not (tmp_path / job_record.PROCESS_FILE).exists()
    assert process.communicate(timeout=60)[0] == b""
    assert process.returncode == 0
    assert (tmp_path / job_record.LOG).read_text().startswith("one\nepochs = 2 (given)\n")
    assert ended(tmp_path).exit_code == 0


def test_stop_that_came_first_is_not_missed(tmp_path: Path) -> None:
    """Given a request to stop before the supervisor could handle a signal -> no step runs."""
    job_record.request_stop(tmp_path, now=False)
    process = begin(tmp_path, ("echo", "one"))
    process.communicate(timeout=60)
    assert (tmp_path / job_record.LOG).read_text() == ""
    assert ended(tmp_path).exit_code == -15


def test_step_that_fails_is_the_last_one(tmp_path: Path) -> None:
    """Given a step with exit code 3 -> the next one does not run, and the code is the job's."""
    process = begin(tmp_path, ("sh", "-c", "exit 3"), ("echo", "two"))
    process.communicate(timeout=60)
    assert (process.returncode, (tmp_path / job_record.LOG).read_text()) == (3, "")
    assert ended(tmp_path).exit_code == 3


def test_success_without_its_reports_is_a_failure(tmp_path: Path) -> None:
    """Given a job that exits with 0 and leaves a broken report -> exit code 1, and the failure file says why."""
    script = "mkdir -p output/data && echo '{' > output/data/metrics.json"
    process = begin(tmp_path, ("sh", "-c", f"cd '{tmp_path}' && {script}"))
    process.communicate(timeout=60)
    assert ended(tmp_path).exit_code == 1
    assert (tmp_path / "output" / "failure").read_text().startswith("AlgorithmError: The reports in ")
