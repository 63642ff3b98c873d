import json
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from image_classifier.console.queueing import scheduler
from image_classifier.console.queueing.scheduler import Scheduler
from image_classifier.contract.errors import UserError
from image_classifier.runners.experiment import Experiment
from image_classifier.runners.job import State
from tests.support.consoles import make_console
from tests.support.scripted_runner import STATE_FILE, ScriptedRunner
from tests.support.waiting import wait_until


class SlowRunner(ScriptedRunner):
    """Starts a job only when the test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.may_start = threading.Event()

    def start(self, asked: Experiment, folder: Path) -> None:
        """Wait, then begin the job."""
        assert self.may_start.wait(10)
        super().start(asked, folder)


def test_job_that_is_stopped_while_it_starts_does_not_run(tmp_path: Path) -> None:
    """Given a start that takes a while and a stop meanwhile -> the job is killed as soon as it has started."""
    runner = SlowRunner()
    console = make_console(tmp_path, runners={"local": runner})
    console.queue.add(Experiment("a", str(tmp_path)))
    Scheduler(console.queue, 1).step()
    console.queue.stop("a")
    runner.may_start.set()
    wait_until(lambda: ("kill", "a") in runner.calls, 10, "the job was killed")
    wait_until(lambda: [job.status.state for job in console.queue.jobs()] == [State.STOPPED], 10, "it is stopped")
    assert [what for what, _ in runner.calls if what in ("start", "kill")] == ["start", "kill"]
    assert console.queue.in_queue() == ()


def test_two_tabs_stop_and_resume_at_the_same_time(tmp_path: Path) -> None:
    """Given a stopped job that twenty requests resume at once -> it is queued once, the others get a sentence."""
    runner = ScriptedRunner()
    folder = tmp_path.resolve() / "home" / "jobs" / "a"
    runner.start(Experiment("a", str(tmp_path)), folder)
    runner.set(folder, State.STOPPED)
    console = make_console(tmp_path, runners={"local": runner})
    barrier, outcomes = threading.Barrier(20), []

    def resume() -> None:
        barrier.wait(10)
        try:
            console.queue.resume("a")
        except UserError:
            outcomes.append("rejected")
        else:
            outcomes.append("queued")

    threads = [threading.Thread(target=resume) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(outcomes) == ["queued"] + ["rejected"] * 19
    assert [job.name for job in console.queue.in_queue()] == ["a"]


def test_scheduler_survives_an_unexpected_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Given a step that fails in a way that was not foreseen -> the thread logs it and starts the job in the next."""
    runner = ScriptedRunner()
    console = make_console(tmp_path, runners={"local": runner})
    thread = Scheduler(console.queue, 1)
    step, failures = thread.step, iter([ValueError("unexpected")])

    def fails_once() -> None:
        if error := next(failures, None):
            raise error
        step()

    monkeypatch.setattr(thread, "step", fails_once)
    monkeypatch.setattr(scheduler, "_IDLE_SECONDS", 0.05)
    console.queue.add(Experiment("a", str(tmp_path)))
    thread.start()
    try:
        wait_until(lambda: ("start", "a") in runner.calls, 10, "the job was started")
    finally:
        thread.stop()
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["unexpected"]
    assert runner.calls.count(("start", "a")) == 1


def test_room_is_made_for_jobs_of_this_machine_alone(tmp_path: Path) -> None:
    """A job on SageMaker starts, then one here -> room is made once, before the second has started."""
    runner = ScriptedRunner()
    console = make_console(tmp_path, runners={"sagemaker": runner, "local": runner})
    made: list[list[str]] = []

    def started() -> list[str]:
        return [name for what, name in runner.calls if what == "start"]

    for count, name in enumerate(("sagemaker", "local"), start=1):
        console.queue.add(Experiment(name, str(tmp_path), runner=name))
        Scheduler(console.queue, 1, lambda: made.append(started())).step()
        wait_until(partial(_has, started, count), 10, "the job to start")
    assert made == [["sagemaker"]]


def _has(found: Callable[[], list[str]], count: int) -> bool:
    return len(found()) == count


def test_scripted_state_is_never_half_written(tmp_path: Path) -> None:
    """Given a reader that has opened a job's state -> the whole old one; a new reader -> the new one, no other file."""
    runner = ScriptedRunner()
    runner.set(tmp_path, State.RUNNING)
    with (tmp_path / STATE_FILE).open() as before:
        runner.set(tmp_path, State.STOPPED)
        assert json.loads(before.read())["state"] == State.RUNNING
    assert runner.status(tmp_path).state == State.STOPPED
    assert [path.name for path in tmp_path.iterdir()] == [STATE_FILE]
