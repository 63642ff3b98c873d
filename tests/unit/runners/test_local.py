"""Jobs on this machine: whatever is killed, what can finish finishes, and the folder tells how it ended."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from image_classifier import PROGRAM
from image_classifier.contract.errors import UserError
from image_classifier.runners import experiment, job_record, job_state, job_tree, local, processes
from image_classifier.runners.experiment import Experiment
from image_classifier.runners.job import State
from tests.support import fake_training
from tests.support.environments import unmeasured
from tests.support.local_jobs import Jobs
from tests.support.waiting import wait_until


def kill(pid: int) -> None:
    """End a process as kill -9 does."""
    os.kill(pid, signal.SIGKILL)


def test_job_runs_to_its_end(tmp_path: Path, asked_for: Experiment, jobs: Jobs) -> None:
    """Given a job of three epochs -> running with phase and memory, then finished with curve, accuracy and times."""
    folder = jobs.start(asked_for, tmp_path / "job", seconds=0.3, epochs=3)
    running = local.status(folder)
    assert running.state == State.RUNNING
    assert running.phase in ("Decoding training images", "Training")
    assert running.memory_bytes is not None
    assert running.memory_bytes > 10 * 2**20
    found = jobs.wait_for(folder, State.FINISHED)
    assert [epoch.number for epoch in found.epochs] == [1, 2, 3]
    assert found.epochs[0].metrics == {"loss": fake_training.LOSS, "val_accuracy": fake_training.ACCURACY}
    assert found.accuracy == fake_training.ACCURACY
    assert (found.phase, found.failure, found.memory_bytes) == ("", None, None)
    assert found.started is not None
    assert found.ended is not None
    assert 0.5 < found.ended - found.started < 60
    assert job_state.read(folder) is not None
    assert experiment.read(folder / experiment.FILE) == asked_for
    assert processes.session(jobs.record(folder).supervisor) == []


def test_phase_has_rate_and_time_left(tmp_path: Path, asked_for: Experiment, jobs: Jobs) -> None:
    """Given one of 100 epochs, which took 2 s -> epochs as the unit, half of one a second, 198 s left."""
    folder = jobs.start(asked_for, tmp_path / "job", seconds=0.1, epochs=100)
    wait_until(lambda: bool(local.status(folder).epochs), 20, "an epoch is measured")
    found = local.status(folder)
    assert (found.unit, found.total, found.planned_epochs, found.rate) == ("epochs", 100, 100, 0.5)
    assert found.eta_seconds == 2.0 * (100 - found.done)


STARTER = (
    "import os, signal, sys; from pathlib import Path\n"
    "from image_classifier.runners import experiment, local, workplace\n"
    "workplace.TRAIN = tuple(sys.argv[3:])\n"
    "local.start(experiment.read(Path(sys.argv[1])), Path(sys.argv[2]))\n"
    "os.kill(os.getpid(), signal.SIGKILL)"
)


def test_starter_that_is_killed_loses_nothing(tmp_path: Path, asked_for: Experiment, jobs: Jobs) -> None:
    """Given kill -9 of the process that started the job -> another one finds it running and then finished."""
    experiment.write(tmp_path / "job.toml", asked_for)
    folders = [str(tmp_path / "job.toml"), str(tmp_path / "job")]
    command = [sys.executable, "-c", STARTER, *folders, *fake_training.command(0.5)]
    jobs.folders.append(tmp_path / "job")
    assert subprocess.run(command, check=False, env=unmeasured(PYTHONPATH=str(PROGRAM))).returncode == -signal.SIGKILL
    assert local.status(tmp_path / "job").state in (State.STARTING, State.RUNNING)
    assert jobs.wait_for(tmp_path / "job", State.FINISHED).accuracy == fake_training.ACCURACY


def test_supervisor_that_is_killed_loses_nothing(tmp_path: Path, asked_for: Experiment, jobs: Jobs) -> None:
    """Given kill -9 of the supervisor -> the job runs, its folder stays locked, and its end is recorded by status."""
    folder = jobs.start(asked_for, tmp_path / "job", seconds=0.5)
    supervisor = jobs.record(folder).supervisor
    kill(supervisor.pid)
    wait_until(lambda: not processes.is_running(supervisor), 10, "the supervisor exits")
    assert local.status(folder).state == State.RUNNING
    with pytest.raises(UserError, match="Another job is running in"):
        local.start(asked_for, folder)
    assert jobs.wait_for(folder, State.FINISHED).accuracy == fake_training.ACCURACY
    assert json.loads((folder / job_state.STATE_FILE).read_text())["state"] == "finished"


def test_job_without_supervisor_can_be_stopped(tmp_path: Path, asked_for: Experiment, jobs: Jobs) -> None:
    """Given kill -9 of the supervisor -> stop reaches the job itself, which saves its best model."""
    folder = jobs.start(asked_for, tmp_path / "job")
    kill(jobs.record(folder).supervisor.pid)
    local.stop(folder)
    assert jobs.wait_for(folder, State.STOPPED).accuracy == fake_training.ACCURACY


def test_job_that_is_killed_is_lost_and_resumes(tmp_path: Path, asked_for: Experiment, jobs: Jobs) -> None:
    """Given kill -9 of the job alone -> lost, its child gone; resumed -> the epochs continue after the checkpoint."""
    folder = jobs.start(asked_for, tmp_path / "job", seconds=0.5, epochs=3)
    wait_until(lambda: bool(local.status(folder).epochs), 20, "an epoch is measured")
    supervisor = jobs.record(folder).supervisor
    (job,) = processes.outermost([one for one in processes.session(supervisor) if one != supervisor])
    kill(job.pid)
    found = jobs.wait_for(folder, State.LOST)
    assert found.failure is not None
    assert "memory ran out" in found.failure
    assert processes.session(supervisor) == []
    local.resume(folder)
    found = jobs.wait_for(folder, State.FINISHED)
    assert [epoch.number for epoch in found.epochs] == [1, 2, 3]
    assert "Resuming from a checkpoint" in local.log(folder).text


def test_everything_is_killed(tmp_path: Path, asked_for: Experiment, jobs: Jobs) -> None:
    """Given kill -9 of all processes, as when the machine is switched off -> lost; it can be resumed, not stopped."""
    folder = jobs.start(asked_for, tmp_path / "job", seconds=0.3)
    assert processes.kill_session(jobs.record(folder).supervisor) == 3
    found = jobs.wait_for(folder, State.LOST)
    assert found.failure is not None
    assert found.failure.startswith("The job's processes have gone without a result")
    assert found.ended is not None
    local.stop(folder)
    assert local.status(folder).state == State.LOST
    local.resume(folder)
    jobs.wait_for(folder, State.FINISHED)


@pytest.mark.parametrize("wrong", [{"start_ticks": 1}, {"boot_id": "of another start of the machine"}], ids=str)
def test_recycled_pid_is_another_process(
    tmp_path: Path, asked_for: Experiment, jobs: Jobs, wrong: dict[str, object]
) -> None:
    """Given a record whose pid another process has now -> the job is lost, and stopping it signals no process."""
    folder = jobs.start(asked_for, tmp_path / "job", seconds=0.3)
    record = jobs.record(folder)
    processes.kill_session(record.supervisor)
    stranger = processes.start([sys.executable, "-c", "import time; time.sleep(60)"], os.environ, tmp_path / "log")
    try:
        stale = replace(record.supervisor, pid=stranger.pid, **wrong)  # type: ignore[arg-type]
        job_record.write(folder, replace(record, supervisor=stale))
        local.stop(folder, now=True)
        jobs.wait_for(folder, State.LOST)
        assert processes.is_running(stranger)
    finally:
        processes.kill_session(stranger)


def test_stop_keeps_the_best_model(tmp_path: Path, asked_for: Experiment, jobs: Jobs) -> None:
    """Given a request to stop -> stopping at once, then stopped with the accuracy of the model; resumed -> finished."""
    folder = jobs.start(asked_for, tmp_path / "job", seconds=1)
    local.stop(folder)
    assert local.status(folder).state in (State.STOPPING, State.STOPPED)
    found = jobs.wait_for(folder, State.STOPPED)
    assert found.accuracy == fake_training.ACCURACY
    assert (folder / "model" / "__model_info__.json").is_file()
    jobs.pretend(0.1)
    local.resume(folder)
    assert jobs.wait_for(folder, State.FINISHED).accuracy == fake_training.ACCURACY
    with pytest.raises(UserError, match="is finished; only one that was stopped, failed or lost can be resumed"):
        local.resume(folder)


def test_stop_now_kills_what_does_not_listen(tmp_path: Path, asked_for: Experiment, jobs: Jobs) -> None:
    """Given a job that ignores SIGTERM -> it stops only when it is killed, without a model, and with its children."""
    folder = jobs.start(asked_for, tmp_path / "job", how="deaf")
    local.stop(folder)
    assert local.status(folder).state == State.STOPPING
    local.stop(folder, now=True)
    found = jobs.wait_for(folder, State.STOPPED, 10)
    assert (found.accuracy, found.failure) == (None, None)
    assert processes.session(jobs.record(folder).supervisor) == []


@pytest.mark.parametrize(
    ("how", "failure"),
    [
        ("fail", "UserError: The channel training has one class."),
        ("crash", "The job ended with exit code 1. The channel training has one class."),
    ],
)
def test_failure_is_one_sentence(tmp_path: Path, asked_for: Experiment, jobs: Jobs, how: str, failure: str) -> None:
    """Given a job that fails, with a failure file or without -> failed, and its sentence."""
    folder = jobs.start(asked_for, tmp_path / "job", how=how)
    assert jobs.wait_for(folder, State.FAILED).failure == failure


def test_second_starter_is_rejected(tmp_path: Path, asked_for: Experiment, jobs: Jobs) -> None:
    """Given a folder in which a job runs -> a clear error, and the first job is as it was."""
    folder = jobs.start(asked_for, tmp_path / "job")
    before = jobs.record(folder)
    with pytest.raises(UserError, match=r"Another job is running in .*job\. Wait for it, or give another folder\."):
        local.start(asked_for, folder)
    with pytest.raises(UserError, match="is running; only one that was stopped"):
        local.resume(folder)
    assert jobs.record(folder) == before
    assert local.status(folder).state == State.RUNNING


@pytest.mark.parametrize("name", ["-rf", 'a "b" $(c)', "é\n\t;", "{0}%s", os.fsdecode(b"\xff\xfe")], ids=ascii)
def test_hostile_folder_names(tmp_path: Path, asked_for: Experiment, jobs: Jobs, name: str) -> None:
    """Given folders whose names are options, shell text or not UTF-8 -> the job runs in that folder."""
    training = tmp_path / f"images {name}"
    (training / "cat").mkdir(parents=True)
    folder = jobs.start(replace(asked_for, training=str(training)), tmp_path / "jobs" / name, seconds=0.05)
    jobs.wait_for(folder, State.FINISHED)
    assert experiment.read(folder / experiment.FILE).training == str(training)
    assert (folder / "input" / "data" / "training").resolve() == training


def test_waiting_in_a_queue_leaves_the_folder_usable(tmp_path: Path, asked_for: Experiment, jobs: Jobs) -> None:
    """Given a folder with nothing but what was asked for -> no job yet, and then one that runs."""
    (tmp_path / "job").mkdir()
    experiment.write(tmp_path / "job" / experiment.FILE, asked_for)
    with pytest.raises(UserError, match="holds no job that was started on this machine"):
        local.status(tmp_path / "job")
    jobs.wait_for(jobs.start(asked_for, tmp_path / "job", seconds=0.05), State.FINISHED)


def test_all_problems_before_anything_is_written(tmp_path: Path, asked_for: Experiment) -> None:
    """Given a wrong name, hyperparameter, channel and option -> one message with each, and no folder."""
    wrong = replace(
        asked_for,
        name="two words",
        validation="s3://bucket/photos",
        hyperparameters={"epochs": "many"},
        options={"local": {"gpus": 2}},
    )
    with pytest.raises(UserError) as rejected:
        local.start(wrong, tmp_path / "job")
    for words in ("two words", "validation is s3://bucket/photos", "epochs", 'Unknown key "gpus" in [local]'):
        assert words in str(rejected.value)
    assert not (tmp_path / "job").exists()


def test_job_that_a_command_runs_is_seen(tmp_path: Path, asked_for: Experiment) -> None:
    """Given a folder that a process without a record has locked -> running; afterwards lost, since nothing is left."""
    from image_classifier import own_files

    folder = job_tree.build_tree(local.local_job(asked_for, tmp_path / "job")).base
    with own_files.used_alone(folder):
        assert local.status(folder).state == State.STARTING
    assert local.status(folder).state == State.LOST


@pytest.mark.no_cover
def test_supervisor_is_small_and_starts_fast(tmp_path: Path, asked_for: Experiment, jobs: Jobs) -> None:
    """Given a running job -> the supervisor has imported none of the large libraries and needs less than 20 MB."""
    folder = jobs.start(asked_for, tmp_path / "job")
    supervisor = jobs.record(folder).supervisor
    assert processes.memory_bytes([supervisor]) < 20 * 2**20
    mapped = (Path("/proc") / str(supervisor.pid) / "maps").read_text()
    assert [name for name in ("numpy", "tensorflow", "PIL", "openvino") if name in mapped] == []


@pytest.mark.parametrize("state", [State.FINISHED, State.STOPPED])
def test_signal_after_the_last_file(tmp_path: Path, asked_for: Experiment, jobs: Jobs, state: State) -> None:
    """Given a second SIGTERM when all is written -> the job has ended as without it, with its accuracy."""
    folder = jobs.start(asked_for, tmp_path / "job", seconds=0.5 if state is State.STOPPED else 0.05, how="late")
    if state is State.STOPPED:
        local.stop(folder)
    assert jobs.wait_for(folder, state).accuracy == fake_training.ACCURACY
    assert jobs.record(folder).exit_code == 0


def test_stop_without_a_job(tmp_path: Path) -> None:
    """Given a folder without a job, or no folder -> one sentence each."""
    actions: list[Callable[[Path], object]] = [local.stop, local.status]
    for action in actions:
        with pytest.raises(UserError, match="no job"):
            action(tmp_path)
    with pytest.raises(UserError, match="does not exist, so it holds no job"):
        local.status(tmp_path / "absent")


def test_stop_before_the_job_itself_has_begun(
    tmp_path: Path, asked_for: Experiment, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a stop while the model is being fetched -> stopped without a model, and the job itself never ran."""
    steps = local.steps
    monkeypatch.setattr(local, "steps", lambda *words: [["sleep", "60"], *steps(*words)])
    jobs.pretend(60)
    jobs.folders.append(tmp_path / "job")
    local.start(asked_for, tmp_path / "job")
    assert local.status(tmp_path / "job").state == State.STARTING
    local.stop(tmp_path / "job")
    assert jobs.wait_for(tmp_path / "job", State.STOPPED).accuracy is None
    assert local.log(tmp_path / "job").text == ""
