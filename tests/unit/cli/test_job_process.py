"""Signals to a command while it shows a job's log."""

import io
import os
import signal
import sys
from pathlib import Path

import pytest
from rich.console import Console

from image_classifier.cli.terminal import consoles, job_process

BUSY = """
import os, signal, time
signal.signal(signal.SIGTERM, lambda *_: os.write(1, b"asked to stop\\n"))
for number in range(10_000):
    os.write(1, f"Epoch line {number}\\n".encode())
    time.sleep(0.003)
"""
"""A job that writes for many seconds and does not stop when it is asked to."""


class Screen(io.StringIO):
    """A terminal on which Ctrl-C is pressed as soon as each of some words is written, while they still are."""

    def __init__(self, *words: str) -> None:
        super().__init__()
        self._words = list(words)

    def write(self, text: str) -> int:
        """Keep the text."""
        if self._words and self._words[0] in text:
            self._words.pop(0)
            os.kill(os.getpid(), signal.SIGINT)
        return super().write(text)


def run(script: str, tmp_path: Path) -> int:
    """Run a job that is a script of a line or few."""
    with (tmp_path / "lock").open("w") as lock:
        command = [sys.executable, "-S", "-c", script]
        return job_process.run(command, os.environ, {}, tmp_path / "job.log", lock.fileno())


@pytest.mark.parametrize("interactive", [True, False])
def test_second_request_kills_a_job_that_writes_all_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interactive: bool
) -> None:
    """Given signals that arrive while a line is being shown -> both are answered, and the second kills the job."""
    screen = Screen("Epoch line 50", "asked to stop")
    console = Console(file=screen, force_terminal=interactive, width=200, highlight=False)
    monkeypatch.setattr(consoles, "output", lambda: console)
    monkeypatch.setattr(consoles, "is_interactive", lambda: interactive)
    monkeypatch.setattr("builtins.print", lambda text, flush: console.print(text))
    assert run(BUSY, tmp_path) == -signal.SIGKILL
    text = screen.getvalue().replace("\n", " ")
    assert text.index("Press Ctrl-C again") < text.rindex(job_process.STOPPED_IMMEDIATELY)
    assert "asked to stop" in (tmp_path / "job.log").read_text()


def test_line_that_cannot_be_shown_leaves_the_job_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a view that fails -> the job ends in order with all lines in the file, then the failure is raised."""

    def fail(text: str, flush: bool) -> None:
        raise ValueError(text)

    monkeypatch.setattr(consoles, "is_interactive", lambda: False)
    monkeypatch.setattr("builtins.print", fail)
    with pytest.raises(ValueError, match="one"):
        run("print('one'); print('two' * 100_000)", tmp_path)
    assert len((tmp_path / "job.log").read_text()) > 300_000


def test_handlers_are_as_before_afterwards(tmp_path: Path) -> None:
    """Given a job that has ended -> its exit code, and this process handles signals as it did before."""
    before = signal.getsignal(signal.SIGTERM)
    assert run("raise SystemExit(3)", tmp_path) == 3
    assert signal.getsignal(signal.SIGTERM) is before
