"""The outermost part of every command: closed pipes, full disks, Ctrl-C."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from image_classifier import PROGRAM
from image_classifier.cli.terminal import command

LISTING = [sys.executable, "-m", "image_classifier.cli.models", "show", "lite0"]


def listed(output: int) -> subprocess.CompletedProcess[str]:
    """Run a command that prints a page to a descriptor."""
    environment = {**os.environ, "PYTHONPATH": str(PROGRAM)}
    return subprocess.run(
        LISTING, env=environment, stdout=output, stderr=subprocess.PIPE, text=True, timeout=60, check=False
    )


def test_closed_pipe_ends_a_command_silently() -> None:
    """Given a pipe that its reader has closed, as head does -> a code other than 0, and no traceback."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = listed(writing)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_full_disk_behind_the_output_is_a_sentence() -> None:
    """Given standard output on a full disk -> one sentence about it."""
    with Path("/dev/full").open("w") as full:
        done = listed(full.fileno())
    assert done.returncode == 1
    assert done.stderr == "PlatformError: Standard output cannot be written: No space left on device.\n"


def test_interrupt_is_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """Given Ctrl-C in the middle of a command -> the code that shells give it, and one word."""

    def interrupted() -> int:
        raise KeyboardInterrupt

    assert command.run(interrupted) == command.INTERRUPTED
    assert capsys.readouterr().err == "Interrupted.\n"


def test_errors_about_files_are_not_taken_for_the_output() -> None:
    """Given a full disk behind a file of the command's own -> the error itself."""

    def failing() -> int:
        raise OSError(28, "No space left on device", "/data/answers.csv")

    with pytest.raises(OSError, match=r"answers\.csv"):
        command.run(failing)


def test_every_command_runs_in_it() -> None:
    """Given the modules of the commands -> each of them that is started as a program goes through it."""
    texts = {path: path.read_text(encoding="utf-8") for path in (PROGRAM / "image_classifier" / "cli").rglob("*.py")}
    started = {path.name: text for path, text in texts.items() if '__name__ == "__main__"' in text}
    assert len(started) > 10
    assert [name for name, text in started.items() if not re.search(r"sys\.exit\(command\.run\(main\)\)", text)] == []
