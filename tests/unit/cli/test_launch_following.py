"""The terminal while a job on SageMaker is followed: what is uploaded, where it waits, and the view of its log."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from image_classifier.cli.launch import following
from image_classifier.cli.terminal import consoles
from image_classifier.runners.job import JobStatus, State
from tests.support.sagemaker_results import LOG


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """A terminal of 100 columns."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, color_system=None, width=100)
    monkeypatch.setattr(consoles, "output", lambda: console)
    monkeypatch.setattr(consoles, "is_interactive", lambda: True)
    return file


def test_view_continues_after_a_question(screen: io.StringIO, tmp_path: Path) -> None:
    """Given a view that was closed for a question -> the next epoch continues the count of the earlier ones."""
    view = following._View(silent=False)
    view.show(tmp_path, JobStatus(State.STARTING, phase="Uploading to S3", done=1, total=3))
    log = tmp_path / "job.log"
    log.write_text("\n".join(LOG[:5]) + "\n")
    view.show(tmp_path, JobStatus(State.RUNNING))
    view.close()
    with log.open("a") as file:
        file.write(LOG[5] + "\n")
    view.show(tmp_path, JobStatus(State.RUNNING))
    view.show(tmp_path, JobStatus(State.STOPPING, phase="Saving the best model"))
    view.close()
    shown = screen.getvalue()
    assert "Uploading to S3: 1 of 3 files" in shown
    assert "Epoch 1/3 *" in shown
    assert "Epoch 2/3 *" in shown
    assert "Saving the best model" in shown


@pytest.mark.parametrize("is_terminal", [True, False])
def test_problem_is_told_once_while_it_lasts(
    screen: io.StringIO,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_terminal: bool,
) -> None:
    """Given expired credentials for two polls, and again later -> a line each time, and what to do."""
    monkeypatch.setattr(consoles, "is_interactive", lambda: is_terminal)
    view = following._View(silent=False)
    expired = JobStatus(State.RUNNING, extra={"problem": "The AWS credentials have expired. Run `aws sso login`."})
    for status in (expired, expired, JobStatus(State.RUNNING), expired):
        view.show(tmp_path, status)
    view.close()
    shown = " ".join(screen.getvalue().split())
    sentence = (
        "WARNING: the job cannot be looked at; trying again. The AWS credentials have expired. Run `aws sso login`."
    )
    assert shown.count(sentence) == 2


def test_commands_to_copy_are_quoted(screen: io.StringIO, tmp_path: Path) -> None:
    """Given a folder with a space in its name -> the commands after a detachment can be pasted into a shell."""
    assert following._is_followed_further(tmp_path / "my run") is False
    shown = " ".join(screen.getvalue().split())
    assert f"scripts/launch status '{tmp_path}/my run' shows it" in shown.replace("/ ", "/")


def test_plain_output_names_each_phase_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given no terminal -> a line for each phase, not for each file, and the log as it is."""
    monkeypatch.setattr(consoles, "is_interactive", lambda: False)
    lines: list[str] = []
    monkeypatch.setattr("image_classifier.cli.launch.printing.line", lines.append)
    view = following._View(silent=False)
    for done in range(3):
        view.show(tmp_path, JobStatus(State.STARTING, phase="Uploading to S3", done=done, total=3))
    view.show(tmp_path, JobStatus(State.STARTING, phase="Waiting for an instance"))
    (tmp_path / "job.log").write_text("a line\n")
    view.show(tmp_path, JobStatus(State.RUNNING))
    assert lines == ["Uploading to S3", "Waiting for an instance"]
    assert capsys.readouterr().out == "a line\n"
