import errno
import re
import sqlite3
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from image_classifier import durable_files
from image_classifier.console.context import Console
from image_classifier.contract.errors import PlatformError, UserError
from image_classifier.runners.experiment import Experiment
from image_classifier.runners.job import JobStatus, State
from tests.support.consoles import client_of, make_console
from tests.support.scripted_runner import ScriptedRunner


@pytest.fixture
def runner() -> ScriptedRunner:
    """Return a runner whose jobs do what the test says."""
    return ScriptedRunner()


@pytest.fixture
def console(tmp_path: Path, runner: ScriptedRunner) -> Console:
    """Return a console with a stopped job."""
    runner.statuses["cells"] = JobStatus(State.STOPPED)
    runner.start(Experiment("cells", str(tmp_path)), tmp_path.resolve() / "home" / "jobs" / "cells")
    runner.set(tmp_path / "home" / "jobs" / "cells", State.STOPPED)
    return make_console(tmp_path, runners={"local": runner})


@pytest.fixture
def client(console: Console) -> FlaskClient:
    """Return a browser with that console open."""
    return client_of(console)


def sentence(text: str) -> str:
    """Return the title and the text of an error's page."""
    title, notice = re.search(r"<h1>(.*?)</h1>", text), re.search(r'<section class="notice bad">(.*?)</section>', text)
    assert title is not None
    assert notice is not None
    return f"{title[1]}: {re.sub('<[^>]*>', ' ', notice[1])}"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_full_disk_is_one_sentence_and_loses_nothing(
    number: int, console: Console, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a disk without space when a job is resumed -> 507 with the file and the remedy; the job is as it was."""

    def full(path: Path, content: bytes) -> None:
        raise OSError(number, "No space left on device", str(path))

    monkeypatch.setattr(durable_files, "write_bytes", full)
    answer = client.post("/jobs/cells/resume")
    assert answer.status_code == 507
    assert "The disk is full" in sentence(answer.text)
    assert "cells.toml" in sentence(answer.text)
    job = console.queue.find("cells")
    assert job is not None
    assert job.status.state == State.STOPPED


def test_index_on_a_full_disk_is_a_hint(console: Console, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an index that cannot be written -> the step is done all the same, and the page says what to free."""

    def full(*_: object) -> object:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(console.index, "_connection", full)
    assert client.post("/jobs/cells/resume").status_code == 303
    text = client.get("/jobs").text
    assert "database or disk is full" in text
    assert "cells" in text
    monkeypatch.undo()
    client.post("/jobs/cells/stop")
    assert "disk is full" not in client.get("/jobs").text


@pytest.mark.parametrize(
    ("error", "status", "shown"),
    [
        (UserError("epochs is x; allowed is 1 or more."), 400, "epochs is x; allowed is 1 or more."),
        (PlatformError("Docker does not run. Start it."), 503, "Docker does not run. Start it."),
        (PermissionError(13, "Permission denied", "/x"), 500, "This page failed"),
        (ValueError("<b>bug</b>"), 500, "&lt;b&gt;bug&lt;/b&gt;"),
    ],
)
def test_every_failure_is_a_page(
    error: Exception, status: int, shown: str, client: FlaskClient, runner: ScriptedRunner, console: Console
) -> None:
    """Given an error of a user, of the platform or of the program -> its sentence, escaped, and the right status."""

    def fails(_: str) -> None:
        raise error

    object.__setattr__(console.queue, "resume", fails)
    answer = client.post("/jobs/cells/resume")
    assert answer.status_code == status
    assert shown in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(("address", "method", "status"), [("/nothing", "GET", 404), ("/jobs", "DELETE", 405)])
def test_http_errors_are_pages(address: str, method: str, status: int, client: FlaskClient) -> None:
    """Given an address or a method that does not exist -> a page with the navigation and what to do."""
    answer = client.open(address, method=method)
    assert answer.status_code == status
    assert "<nav" in answer.text
    assert sentence(answer.text)
