"""One click to a running job on sample data: fetched in the background, then queued."""

import re
from pathlib import Path

import pytest

from image_classifier.console import tasks
from image_classifier.console.context import Console
from image_classifier.console.datasets import imports, known
from image_classifier.console.datasets.imports import Shown
from image_classifier.console.datasets.known import Source
from image_classifier.console.forms import sample_start
from image_classifier.console.tasks import State, Status
from image_classifier.model_hub import packages
from image_classifier.runners.experiment import LOCAL
from tests.support.consoles import client_of, make_console
from tests.support.scripted_runner import ScriptedRunner
from tests.support.waiting import wait_until


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Console:
    """Return an empty console whose jobs only exist as files, and which fetches nothing."""
    monkeypatch.setenv(packages.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(imports, "start", lambda home, id_: None)
    return make_console(tmp_path, runners={LOCAL: ScriptedRunner()})


def let_import(monkeypatch: pytest.MonkeyPatch, status: Status, key: str | None = None) -> None:
    """Let every import have a status, and leave a data set."""
    what = imports.Import("id", "solar", Source.SAMPLE, "solar")
    monkeypatch.setattr(imports, "find", lambda home, id_: Shown(what, status, key))


def test_one_click_leads_to_a_job(console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an empty console and a click -> a page that waits, and once the data is there, the page of a queued job."""
    for name in ("a", "b"):
        (tmp_path / "solar" / name).mkdir(parents=True)
    let_import(monkeypatch, Status(State.RUNNING))
    client = client_of(console)
    assert "Try with sample data" in client.get("/train").text
    place = client.post("/train/sample").headers["Location"].removeprefix(".")
    waiting = client.get(f"/train{place.removeprefix('/train')}")
    assert 'http-equiv="refresh"' in waiting.text
    key = known.add(console.home, "solar", {"training": tmp_path / "solar"}, Source.SAMPLE, "solar").key
    let_import(monkeypatch, Status(State.FINISHED), key)
    wait_until(lambda: len(console.queue.jobs()) == 1, 20, "the job")
    (job,) = console.queue.jobs()
    assert job.experiment.hyperparameters == sample_start.SETTINGS
    wait_until(lambda: client.get(f"/train{place.removeprefix('/train')}").status_code == 303, 20, "the way to the job")
    assert client.get(f"/train{place.removeprefix('/train')}").headers["Location"].endswith(f"jobs/{job.name}")


def test_a_failed_fetch_says_why(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given no network -> the sentence of the import instead of waiting, with a way to other images."""
    let_import(monkeypatch, Status(State.FAILED, tasks.Progress(), "pip cannot fetch elpv-dataset."))
    client = client_of(console)
    place = client.post("/train/sample").headers["Location"].removeprefix(".")
    text = client.get(f"/train{place.removeprefix('/train')}").text
    assert "pip cannot fetch elpv-dataset." in text
    assert not re.search('http-equiv="refresh"', text)


def test_an_unknown_run_is_not_found(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an id of no import -> 404."""
    monkeypatch.setattr(imports, "find", lambda home, id_: None)
    assert client_of(console).get("/train/sample/none").status_code == 404
