import re
import time
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from image_classifier.console.context import Console
from image_classifier.console.queueing import listing
from image_classifier.console.queueing.scheduler import Scheduler
from image_classifier.runners.experiment import Experiment
from image_classifier.runners.job import EpochMetrics, JobStatus, State
from tests.support.consoles import client_of, make_console
from tests.support.scripted_runner import ScriptedRunner
from tests.support.waiting import wait_until

NOW = 1_790_000_000.0
FAILURE = "training is /gone, which is not a folder. Give one with a sub-folder per class."


@pytest.fixture
def runner() -> ScriptedRunner:
    """Return a runner whose jobs do what the test says."""
    return ScriptedRunner()


def console_with(folder: Path, runner: ScriptedRunner, **statuses: JobStatus) -> Console:
    """Return a console that has jobs in these states; `_` in their names is `-`."""
    home = make_console(folder, runners={"local": runner})
    for keyword, status in statuses.items():
        name = keyword.replace("_", "-")
        runner.statuses[name] = status
        runner.start(Experiment(name, "/photos/cells", hyperparameters={"recipe": "auto"}), home.jobs / name)
        runner.set(home.jobs / name, status.state)
    return make_console(folder, runners={"local": runner})


def running(**more: object) -> JobStatus:
    """Return a job in the middle of its work."""
    epochs = tuple(EpochMetrics(n, {"accuracy": n / 10, "val_accuracy": n / 11, "loss": 1 / n}) for n in (1, 2, 3))
    known = {"phase": "Training", "done": 3, "total": 10, "unit": "epochs", "eta_seconds": 70.0, "rate": 0.1}
    return JobStatus(State.RUNNING, epochs=epochs, planned_epochs=10, started=NOW, **{**known, **more})  # type: ignore[arg-type]


def client_with(folder: Path, runner: ScriptedRunner, **statuses: JobStatus) -> FlaskClient:
    """Return a browser with the console of `console_with`."""
    return client_of(console_with(folder, runner, **statuses))


def test_empty_console_leads_to_the_form(tmp_path: Path, runner: ScriptedRunner) -> None:
    """Given no jobs -> one sentence and one action, and no table."""
    text = client_with(tmp_path, runner).get("/jobs").text
    assert "No jobs yet" in text
    assert '<a class="action" href="./train">' in text
    assert "<table" not in text


def test_running_job_shows_where_it_is(tmp_path: Path, runner: ScriptedRunner) -> None:
    """Given a running job -> its phase, bar, estimate, best accuracy, memory, warnings and curves."""
    client = client_with(tmp_path, runner, cells=running(memory_bytes=1_230_000_000, warnings=("WARNING: 3 skipped",)))
    text = client.get("/jobs/cells").text
    for shown in ("epoch 3 of 10", 'max="10" value="3"', "About 1", "27.3", "1.2", "WARNING: 3 skipped", "recipe"):
        assert shown in text
    assert text.count("<polyline") == 3
    assert "Stop and keep the best model" in text


def test_phase_without_a_known_end_has_a_bar_without_a_value(tmp_path: Path, runner: ScriptedRunner) -> None:
    """Given a job whose phase has no total -> an indeterminate bar and a sentence instead of an estimate."""
    text = client_with(tmp_path, runner, cells=running(total=None, eta_seconds=None)).get("/jobs/cells").text
    assert re.search(r"<progress aria-label=", text)
    assert "not known yet" in text


@pytest.mark.parametrize(
    ("status", "shown", "hidden"),
    [
        (JobStatus(State.FINISHED, accuracy=0.874), ("Show the result", "Try it", "Train further"), ("Resume",)),
        (JobStatus(State.STOPPED, accuracy=0.8), ("Show the result", "Resume"), ("Stop",)),
        (JobStatus(State.STOPPED), ("Stopped before it had a model", "Try again"), ("Show the result",)),
        (JobStatus(State.FAILED, failure=FAILURE), (FAILURE, "Try again", "Clone"), ("Train further",)),
        (JobStatus(State.LOST, failure="It was killed."), ("It was killed.", "last checkpoint"), ("Stop",)),
        (JobStatus(State.STOPPING, phase="x"), ("best model so far is being saved", "Stop without saving"), ("Clone",)),
        (JobStatus(State.STARTING), ("starting", "Starting"), ("Resume",)),
    ],
)
def test_every_state_has_its_sentence_and_actions(
    status: JobStatus, shown: tuple[str, ...], hidden: tuple[str, ...], tmp_path: Path, runner: ScriptedRunner
) -> None:
    """Given a job in a state -> the sentence and the actions of that state, and no others."""
    client = client_with(tmp_path, runner, cells=status)
    text = client.get("/jobs/cells").text
    assert all(one in text for one in shown)
    main = text[text.index("<main") :]
    assert not any(one in main for one in hidden)
    assert text.count('class="action"') + text.count("<button>") + text.count('<button class="">') <= 1
    assert "cells" in client.get("/jobs").text


def test_actions_lead_back_to_the_job(tmp_path: Path, runner: ScriptedRunner) -> None:
    """Given a running job -> stopping it, and resuming it afterwards, is asked of its runner or the queue."""
    console = console_with(tmp_path, runner, cells=running())
    client = client_of(console)
    answer = client.post("/jobs/cells/stop")
    assert (answer.status_code, answer.headers["Location"]) == (303, "../cells")
    assert ("stop", "cells") in runner.calls
    Scheduler(console.queue, 1).step()
    assert client.post("/jobs/cells/resume").status_code == 303
    assert "next one" in client.get("/jobs/cells").text
    assert client.post("/jobs/cells/stop", data={"now": "1"}).status_code == 303


def test_stop_now_kills(tmp_path: Path, runner: ScriptedRunner) -> None:
    """Given a job that is stopping -> Stop without saving kills it."""
    client = client_with(tmp_path, runner, cells=JobStatus(State.STOPPING))
    client.post("/jobs/cells/stop", data={"now": "1"})
    assert ("kill", "cells") in runner.calls


def test_queue_is_shown_and_changed(tmp_path: Path, runner: ScriptedRunner) -> None:
    """Given waiting jobs -> each with its position; Next moves one to the front, Remove takes one out."""
    console = make_console(tmp_path, runners={"local": runner})
    for name in ("a", "b", "c"):
        console.queue.add(Experiment(name, str(tmp_path)))
    client = client_of(console)
    client.post("/jobs/c/first")
    answer = client.post("/jobs/a/stop")
    assert answer.headers["Location"] == "../../jobs"
    assert [(job.name, job.position) for job in console.queue.in_queue()] == [("c", 1), ("b", 2)]
    assert "1 job is" in client.get("/jobs/b").text


def test_unknown_job_is_a_page(tmp_path: Path, runner: ScriptedRunner) -> None:
    """Given a name that no job has, also a hostile one -> 404 and where to look, escaped."""
    client = client_with(tmp_path, runner)
    for name in ("nothing", "<script>alert(1)</script>", "..%2f..%2fetc", "x" * 500):
        answer = client.get(f"/jobs/{name}")
        assert answer.status_code == 404
        assert "<script>alert" not in answer.text


def test_rejected_action_says_why(tmp_path: Path, runner: ScriptedRunner) -> None:
    """Given a finished job -> resuming it is answered by a page with the reason."""
    answer = client_with(tmp_path, runner, cells=JobStatus(State.FINISHED, accuracy=0.9)).post("/jobs/cells/resume")
    assert answer.status_code == 400
    assert "only a job that has not finished" in answer.text


def test_clone_and_train_further_lead_to_the_form(tmp_path: Path, runner: ScriptedRunner) -> None:
    """Given a finished job -> its actions lead to the Train screen with its name."""
    client = client_with(tmp_path, runner, cells=JobStatus(State.FINISHED, accuracy=0.9))
    assert client.get("/jobs/cells/clone").headers["Location"] == "../../train?clone=cells"
    assert client.post("/jobs/cells/further").headers["Location"] == "../../train?further=cells"


def test_log_is_shown_in_parts(tmp_path: Path, runner: ScriptedRunner) -> None:
    """Given a long log -> its end with a link to the part before, and so on to its beginning, no line twice or lost."""
    client = client_with(tmp_path, runner, cells=running())
    lines = [f"line {number} <b>é</b>\n" for number in range(2500)]
    (tmp_path / "home" / "jobs" / "cells" / "job.log").write_text("".join(lines))
    address, seen = "/jobs/cells", ""
    for _ in range(20):
        text = client.get(address).text
        found = re.search(r'<pre class="log"[^>]*>(.*?)</pre>', text, re.DOTALL)
        assert found is not None
        seen = found[1] + seen
        earlier = re.search(r'href="\./cells(\?before=\d+)#log">Earlier', text)
        if earlier is None:
            break
        address = f"/jobs/cells{earlier[1]}"
    assert seen.replace("&lt;", "<").replace("&gt;", ">").splitlines()[-2000:] == "".join(lines).splitlines()[-2000:]
    assert seen.startswith("line 0 ")
    assert client.get("/jobs/cells/log").text == "".join(lines)


def test_many_jobs_are_paged_filtered_and_searched(tmp_path: Path, runner: ScriptedRunner) -> None:
    """Given 130 jobs that are over -> 50 a page, by state and by words of name, data and model."""
    states = {f"job_{n:03d}": JobStatus(State.FINISHED if n % 10 else State.FAILED, ended=NOW + n) for n in range(130)}
    client = client_with(tmp_path, runner, **states)
    first = client.get("/jobs").text
    assert first.count("<tr>") == listing.PER_PAGE + 1
    assert first.index("job-129") < first.index("job-080")
    assert "Page 1 of 3" in first
    assert "job-000" in client.get("/jobs?page=9").text
    failed = client.get("/jobs?state=failed").text
    assert failed.count("<tr>") == 14
    assert client.get("/jobs?search=CELLS job-07").text.count("<tr>") == 11
    assert "No job fits" in client.get("/jobs?search=dogs&state=failed").text


def test_list_of_many_jobs_is_fast(tmp_path: Path, runner: ScriptedRunner) -> None:
    """Given 200 jobs that an earlier console has seen -> opening the console and its list takes no second."""
    client_with(
        tmp_path, runner, **{f"job_{n}": JobStatus(State.FINISHED, accuracy=0.9, ended=NOW) for n in range(200)}
    )
    began = time.process_time()
    client_of(make_console(tmp_path, runners={"local": runner})).get("/jobs")
    assert time.process_time() - began < 1


def test_events_of_a_job_are_streamed(tmp_path: Path, runner: ScriptedRunner) -> None:
    """Given an open page -> a change of its job arrives as an event, and the stream is released when it closes."""
    console = console_with(tmp_path, runner, cells=running())
    after = console.events.last_id
    answer = client_of(console).get(f"/jobs/cells/events?after={after}", buffered=False)
    assert answer.mimetype == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-store"
    parts = iter(answer.response)
    next(parts)
    job = console.queue.find("cells")
    assert job is not None
    console.queue.update(job, running(done=4))
    assert next(parts) == f"id: {after + 1}\nevent: progress\ndata: jobs/cells/\n\n".encode()
    answer.close()


def test_too_many_pages_poll(tmp_path: Path, runner: ScriptedRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given as many streams as allowed -> one more is answered with 503, after which a page polls."""
    monkeypatch.setattr("image_classifier.console.events.MOST_STREAMS", 0)
    assert client_with(tmp_path, runner).get("/events").status_code == 503


def test_navigation_counts_what_runs(tmp_path: Path, runner: ScriptedRunner) -> None:
    """Given a running job -> the navigation of every screen says so."""
    assert "now running" in client_with(tmp_path, runner, cells=running()).get("/models").text
    (tmp_path / "other").mkdir()
    assert "now running" not in client_with(tmp_path / "other", ScriptedRunner()).get("/models").text


def test_scheduler_starts_what_a_page_asked_for(tmp_path: Path, runner: ScriptedRunner) -> None:
    """Given a scheduler that sleeps -> a new job wakes it at once."""
    console = make_console(tmp_path, runners={"local": runner})
    scheduler = Scheduler(console.queue, 1)
    scheduler.start()
    try:
        time.sleep(0.2)
        console.queue.add(Experiment("a", str(tmp_path)))
        wait_until(lambda: ("start", "a") in runner.calls, 5, "the job was started")
        wait_until(lambda: not console.queue.in_queue(), 5, "the job left the queue")
        running = [("a", State.RUNNING)]
        wait_until(lambda: [(job.name, job.status.state) for job in console.queue.live()] == running, 5, "the job runs")
    finally:
        scheduler.stop()
    assert [(job.name, job.status.state) for job in console.queue.live()] == running
