"""kill -9 of the console, of its job and of both: nothing is lost, and after a restart the job is adopted."""

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from image_classifier.console.index.database import FILE
from image_classifier.runners import job_record, processes
from image_classifier.runners.experiment import Experiment
from tests.platform import console_process
from tests.platform.console_process import Process
from tests.support.waiting import wait_until

pytestmark = pytest.mark.no_cover

SECONDS = 120
MOST_MEMORY = 300_000_000
"""Bytes of the console while a job runs; it has about 80 MB."""
SCREENS = ("/data", "/models", "/train", "/jobs", "/results", "/deployments")


@pytest.fixture
def home(tmp_path: Path, tiny_backbone: Path) -> Iterator[Path]:
    """Yield the home of a console in whose queue two jobs wait: one of many epochs, and one of a single epoch."""
    for name, colour in (("blue", (20, 20, 200)), ("red", (200, 20, 20))):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(12):
            shade = tuple(value + 3 * number for value in colour)
            Image.new("RGB", (50, 40), shade).save(tmp_path / "images" / name / f"{number:02}.png")
    settings = {"train_only_top_layer": "True", "learning_rate": "0.001"}
    for name, epochs in (("a-long", "100000"), ("b-short", "1")):
        asked = {**settings, "epochs": epochs}
        job = Experiment(name, str(tmp_path / "images"), model=str(tiny_backbone), hyperparameters=asked)
        console_process.ask_for(tmp_path / "home", job)
    yield tmp_path / "home"
    for folder in (tmp_path / "home" / "jobs").iterdir():
        if record := job_record.read(folder):
            processes.kill_session(record.supervisor)


def badge(console: Process, name: str) -> str:
    """Return the state of a job as its page shows it."""
    found = re.search(r'<span class="badge [a-z]*">([a-z]+)</span>', console.get(f"/jobs/{name}").text)
    return found[1] if found else ""


def wait_for(console: Process, name: str, *states: str) -> None:
    """Wait until the page of a job shows one of the states."""
    wait_until(lambda: badge(console, name) in states, SECONDS, f"{name} is {' or '.join(states)}", pause=0.3)


def epochs(home: Path, name: str) -> int:
    """Return how many epochs the log of a job has."""
    log = home / "jobs" / name / "job.log"
    return log.read_text(errors="replace").count(" - val_loss: ") if log.exists() else 0


def kill_job(home: Path, name: str) -> None:
    """Kill every process of a job."""
    record = job_record.read(home / "jobs" / name)
    assert record is not None
    assert processes.kill_session(record.supervisor) > 0


@pytest.mark.every
def test_killed_console_adopts_its_job(home: Path) -> None:
    """Given kill -9 of the console while a job trains -> it trains on, is adopted and stopped, then the next runs."""
    with console_process.running(home, home.parent) as first:
        first.open()
        wait_until(lambda: epochs(home, "a-long") > 3, SECONDS, "the job trains", pause=0.2)
        assert badge(first, "b-short") == "waiting"
        assert [first.get(path).status for path in SCREENS] == [200] * len(SCREENS)
        assert first.memory() < MOST_MEMORY
        first.kill()
    before = epochs(home, "a-long")
    wait_until(lambda: epochs(home, "a-long") > before + 3, SECONDS, "the job goes on", pause=0.1)
    # Neither the index nor what SQLite keeps beside it is needed.
    for path in home.glob(f"{FILE}*"):
        path.unlink()
    with console_process.running(home, home.parent) as second:
        second.open()
        wait_for(second, "a-long", "running")
        assert badge(second, "b-short") == "waiting"
        assert "Stop and keep the best model" in second.get("/jobs/a-long").text
        assert second.post("/jobs/a-long/stop").status == 303
        wait_for(second, "a-long", "stopped")
        assert "Show the result" in second.get("/jobs/a-long").text
        wait_for(second, "b-short", "finished")
        assert json.loads((home / "jobs" / "b-short" / "job.json").read_text())["state"] == "finished"
        assert list((home / "queue").iterdir()) == []


@pytest.mark.every
def test_killed_job_is_shown_and_resumed(home: Path) -> None:
    """Given kill -9 of the job, and later of job and console -> each time it is shown with what to do, and resumes."""
    with console_process.running(home, home.parent, ["--jobs", "1"]) as first:
        first.open()
        first.post("/jobs/b-short/stop")
        wait_until(lambda: epochs(home, "a-long") > 3, SECONDS, "the job trains", pause=0.2)
        kill_job(home, "a-long")
        wait_for(first, "a-long", "lost", "failed")
        page = first.get("/jobs/a-long").text
        assert "Resume" in page
        assert 'class="notice bad"' in page
        assert first.post("/jobs/a-long/resume").status == 303
        wait_for(first, "a-long", "running")
        before = epochs(home, "a-long")
        wait_until(lambda: epochs(home, "a-long") > before + 3, SECONDS, "the job trains again", pause=0.2)
        assert "Resuming from a checkpoint" in (home / "jobs" / "a-long" / "job.log").read_text()
        first.kill()
        kill_job(home, "a-long")
    with console_process.running(home, home.parent) as second:
        second.open()
        wait_for(second, "a-long", "lost", "failed")
        assert second.post("/jobs/a-long/resume").status == 303
        wait_for(second, "a-long", "running")
        kill_job(home, "a-long")


@pytest.mark.every
def test_crashed_worker_is_replaced(home: Path) -> None:
    """Given kill -9 of the process that answers requests -> another one takes over, with the same address and jobs."""
    for path in (home / "queue").iterdir():
        path.unlink()
    with console_process.running(home, home.parent) as console:
        console.open()
        os.kill(console.pids()[1], signal.SIGKILL)
        wait_until(lambda: is_there(console), SECONDS, "the console answers again", pause=0.2)
        assert console.log.read_text().count("The console is ready") == 1


def is_there(console: Process) -> bool:
    """Say whether the Jobs screen is shown."""
    try:
        return console.get("/jobs").status == 200
    except OSError:
        return False
