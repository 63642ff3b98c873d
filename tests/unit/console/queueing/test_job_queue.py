import errno
from pathlib import Path

import pytest

from image_classifier import durable_files
from image_classifier.console.context import Console
from image_classifier.console.index.database import FILE
from image_classifier.console.queueing import waiting
from image_classifier.console.queueing.scheduler import Scheduler
from image_classifier.contract.errors import UserError
from image_classifier.runners.experiment import Experiment
from image_classifier.runners.job import EpochMetrics, JobStatus, State
from tests.support.consoles import make_console
from tests.support.scripted_runner import ScriptedRunner
from tests.support.waiting import wait_until


@pytest.fixture
def runner() -> ScriptedRunner:
    """Return a runner whose jobs do what the test says."""
    return ScriptedRunner()


@pytest.fixture
def console(tmp_path: Path, runner: ScriptedRunner) -> Console:
    """Return a console without a scheduler, with that runner here and elsewhere."""
    return opened(tmp_path, runner)


def opened(folder: Path, runner: ScriptedRunner) -> Console:
    """Open the console of a folder, as a restart does."""
    return make_console(folder, runners={"local": runner, "sagemaker": runner})


def add(console: Console, *names: str, runner: str = "local") -> None:
    """Ask for jobs."""
    for name in names:
        console.queue.add(Experiment(name, str(console.home), runner=runner))


def states(console: Console) -> dict[str, str]:
    """Return the state of each job in the order of the screen."""
    return {job.name: job.status.state for job in console.queue.jobs()}


def step(console: Console, at_once: int = 1) -> None:
    """Run one step of a scheduler, and wait for what it starts."""
    before = {job.name for job in console.queue.in_queue()}
    Scheduler(console.queue, at_once).step()
    begun = before - {job.name for job in console.queue.in_queue()}
    jobs = [job for job in console.queue.jobs() if job.name in begun]
    wait_until(lambda: not any(is_starting(console, job.name) for job in jobs), 10, "the jobs were started")


def is_starting(console: Console, name: str) -> bool:
    """Say whether a job is still being started."""
    job = console.queue.find(name)
    return job is not None and job.status.state == State.STARTING


def test_one_job_runs_and_the_others_wait(console: Console, runner: ScriptedRunner) -> None:
    """Given three jobs -> the first runs, the others wait in their order; the next starts when it is over."""
    add(console, "a", "b", "c")
    step(console)
    assert states(console) == {"a": "running", "b": "queued", "c": "queued"}
    assert [job.position for job in console.queue.in_queue()] == [1, 2]
    runner.set(console.jobs / "a", State.FINISHED)
    step(console)
    assert states(console) == {"b": "running", "c": "queued", "a": "finished"}


def test_more_jobs_run_when_asked(console: Console) -> None:
    """Given room for two jobs -> two of three run."""
    add(console, "a", "b", "c")
    step(console, at_once=2)
    assert sorted(states(console).values()) == ["queued", "running", "running"]


def test_jobs_elsewhere_need_no_room(console: Console) -> None:
    """Given a job that runs here -> one for SageMaker starts beside it."""
    add(console, "here")
    step(console)
    add(console, "there", runner="sagemaker")
    step(console)
    assert states(console) == {"there": "running", "here": "running"}


def test_queue_survives_the_process(console: Console, runner: ScriptedRunner, tmp_path: Path) -> None:
    """Given a console that was killed -> another one knows what runs and what waits, in its order."""
    add(console, "a", "b", "c")
    step(console)
    console.queue.move_first("c")
    again = opened(tmp_path, runner)
    assert list(states(again).items()) == [("a", "running"), ("c", "queued"), ("b", "queued")]


def test_deleting_the_index_loses_only_the_order(console: Console, runner: ScriptedRunner, tmp_path: Path) -> None:
    """Given no index file at the next start -> the same jobs, the queue in the order in which they were asked for."""
    add(console, "a", "b", "c", "d")
    step(console)
    runner.set(console.jobs / "a", State.FINISHED)
    runner.statuses["a"] = JobStatus(State.FINISHED, accuracy=0.9, epochs=(EpochMetrics(1, {"loss": 0.5}),))
    step(console)
    console.queue.move_first("d")
    for path in console.home.glob(f"{FILE}*"):
        path.unlink()
    again = opened(tmp_path, runner)
    assert list(states(again).items()) == [("b", "running"), ("c", "queued"), ("d", "queued"), ("a", "finished")]
    finished = again.queue.find("a")
    assert finished is not None
    assert finished.status.accuracy == 0.9


def test_jobs_that_are_over_are_not_asked_again(console: Console, runner: ScriptedRunner, tmp_path: Path) -> None:
    """Given a finished job and a restart -> its status, epochs included, comes from the index; a change is noticed."""
    add(console, "a")
    step(console)
    runner.set(console.jobs / "a", State.FINISHED)
    runner.statuses["a"] = JobStatus(State.FINISHED, accuracy=0.9, epochs=(EpochMetrics(1, {"loss": 0.5}),))
    step(console)
    runner.calls.clear()
    again = opened(tmp_path, runner).queue.find("a")
    before = console.queue.find("a")
    assert runner.calls == []
    assert again is not None
    assert before is not None
    assert again.status == before.status
    runner.set(console.jobs / "a", State.RUNNING)
    assert states(opened(tmp_path, runner)) == {"a": "running"}


def test_killed_between_start_and_record_starts_no_job_twice(
    console: Console, runner: ScriptedRunner, tmp_path: Path
) -> None:
    """Given a job that was started and still has its file in the queue -> it is adopted, not started again."""
    add(console, "a")
    runner.start(Experiment("a", str(console.home)), console.jobs / "a")
    again = opened(tmp_path, runner)
    assert states(again) == {"a": "running"}
    assert waiting.read(again.home) == []


def test_stopped_job_is_resumed_by_the_queue(console: Console, runner: ScriptedRunner) -> None:
    """Given a stopped job -> it queues like a new one, and is resumed in its folder when it is due."""
    add(console, "a", "b")
    step(console)
    console.queue.stop("a")
    step(console)
    assert states(console) == {"b": "running", "a": "stopped"}
    console.queue.resume("a")
    assert states(console) == {"b": "running", "a": "queued"}
    runner.set(console.jobs / "b", State.FINISHED)
    step(console)
    assert ("resume", "a") in runner.calls
    assert states(console) == {"a": "running", "b": "finished"}


def test_waiting_job_is_taken_back(console: Console, runner: ScriptedRunner, tmp_path: Path) -> None:
    """Given a job that waits -> stopping it removes it, also for the next start, and the runner is not asked."""
    add(console, "a", "b")
    step(console)
    console.queue.stop("b")
    assert states(console) == {"a": "running"}
    assert states(opened(tmp_path, runner)) == {"a": "running"}


def test_job_that_waits_to_resume_is_stopped_again(console: Console) -> None:
    """Given a stopped job that waits to be resumed -> taking it back leaves it as it was."""
    add(console, "a", "b")
    step(console)
    console.queue.stop("a")
    step(console)
    console.queue.resume("a")
    console.queue.stop("a")
    assert states(console) == {"b": "running", "a": "stopped"}


def test_failed_start_is_kept_with_its_reason(console: Console, runner: ScriptedRunner, tmp_path: Path) -> None:
    """Given a job whose data is gone when it is due -> failed, with the sentence, also after a restart; then again."""
    add(console, "a", "b")
    runner.rejects = "training is /gone, which is not a folder."
    step(console)
    found = opened(tmp_path, runner).queue.find("a")
    assert found is not None
    assert (found.status.state, found.status.failure) == (State.FAILED, runner.rejects)
    runner.rejects = None
    console.queue.resume("a")
    console.queue.move_first("a")
    step(console)
    assert states(console)["a"] == "running"


def test_problem_is_named_before_a_job_is_queued(console: Console, runner: ScriptedRunner) -> None:
    """Given a job that the runner rejects, has a taken name or an unknown runner -> one sentence, nothing queued."""
    add(console, "a")
    with pytest.raises(UserError, match="exists"):
        add(console, "a")
    with pytest.raises(UserError, match="expected one of: local, sagemaker"):
        add(console, "b", runner="docker")
    runner.rejects = "no such folder"
    with pytest.raises(UserError, match="no such folder"):
        add(console, "c")
    assert list(states(console)) == ["a"]


@pytest.mark.parametrize("action", ["resume", "move_first"])
def test_running_job_is_neither_resumed_nor_moved(console: Console, action: str) -> None:
    """Given a job that runs, or an unknown one -> a sentence."""
    add(console, "a")
    step(console)
    with pytest.raises(UserError, match="running"):
        getattr(console.queue, action)("a")
    with pytest.raises(UserError, match="does not exist"):
        getattr(console.queue, action)("b")


def test_full_disk_loses_no_job(
    console: Console, runner: ScriptedRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a disk without space -> a new job is not queued, and those that were stay; nothing half-written."""
    add(console, "a")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "console")

    with monkeypatch.context() as patch:
        patch.setattr(durable_files, "write_bytes", full)
        with pytest.raises(OSError, match="No space"):
            add(console, "b")
    assert list(states(console)) == ["a"]
    assert list(states(opened(tmp_path, runner))) == ["a"]


def test_new_names_are_free(console: Console) -> None:
    """Given taken names -> a number is added, and the longest names stay within 63 characters."""
    add(console, "solar-cells", "x" * 63)
    assert console.queue.free_name("Solar cells!") == "Solar-cells"
    assert console.queue.free_name("solar-cells") == "solar-cells-2"
    assert console.queue.free_name("x" * 80) == "x" * 61 + "-2"


def test_corrupt_experiment_is_shown_and_not_lost(console: Console, runner: ScriptedRunner, tmp_path: Path) -> None:
    """Given a job whose experiment.toml is cut off -> it is listed as lost with the reason."""
    add(console, "a")
    step(console)
    (console.jobs / "a" / "experiment.toml").write_text('name = "a')
    found = opened(tmp_path, runner).queue.find("a")
    assert found is not None
    assert found.status.state == State.LOST
    assert "not TOML" in (found.status.failure or "")


def test_changes_are_published(console: Console, runner: ScriptedRunner) -> None:
    """Given a job that runs and makes progress -> events of its topic, `state` for a new state, else `progress`."""
    add(console, "a")
    step(console)
    after = console.events.last_id
    runner.statuses["a"] = JobStatus(State.RUNNING, phase="Features", done=1, total=2)
    step(console)
    step(console)
    assert [(event.topic, event.kind) for event in console.events.since("jobs/", after)] == [("jobs/a/", "progress")]
