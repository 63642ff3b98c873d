"""What the introduction notebook starts with WHERE = "docker": the same commands as without, in the Docker image.

No container runs here; the image's tests run the same commands in it.
"""

import contextlib
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.repository.test_introduction_notebook import CELLS
from tests.support import recording_docker
from tests.support.guides import GUIDES
from tools.documents import notebook

_STARTING = ("WHERE = ", "in_docker", "serve(", "model, data = ")
"""In the cells that start something, or assign what these use."""
_PORT = re.compile(r"--port \d+")


class Recorded:
    """Stands for subprocess.Popen: writes down the command, which ends at once."""

    commands: list[list[str]]

    def __init__(self, command: list[str], **_: Any) -> None:
        """Write down a command."""
        self.commands.append(command)
        self.stdout: list[str] = []
        self.returncode = 0

    def __enter__(self) -> "Recorded":
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing."""

    def poll(self) -> int:
        """Return the exit code."""
        return 0


def run_cells(where: str, work: Path) -> None:
    """Run the cells that start commands; a server that ends at once is the error of its cell."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in CELLS:
        text = notebook.source(cell, {"WHERE": where, "work": work})
        if any(part in text for part in _STARTING):
            with contextlib.suppress(RuntimeError):
                exec(compile(text, "<cell>", "exec"), names)


def test_docker_runs_the_commands_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given data and models already staged -> three trainings and two servers, with the words that run here."""
    for place in ("backbone/model.tar.gz", "pretrained/model.tar.gz", "stamps/train/red/1.png"):
        (tmp_path / "work" / place).parent.mkdir(parents=True)
        (tmp_path / "work" / place).write_bytes(b"")
    monkeypatch.chdir(GUIDES)
    here: list[list[str]] = []
    Recorded.commands = here
    with monkeypatch.context() as patched:
        patched.setattr(subprocess, "Popen", Recorded)
        run_cells("here", tmp_path / "work")
    docker = recording_docker.put_on_path(tmp_path / "bin", monkeypatch)
    docker.has_image()
    docker.write("installed.json", "")
    run_cells("docker", tmp_path / "work")
    runs = [line.partition(" image-classifier:cpu -m image_classifier.cli.") for line in docker.commands("run ")]
    started = [_PORT.sub("--port 1", words) for _, _, words in runs]
    expected = [" ".join(command).removeprefix("scripts/").replace("-", "_", 1) for command in here]
    assert started == [_PORT.sub("--port 1", words) for words in expected]
    assert [words.split()[0] for words in started] == [
        *("train_locally", "serve_locally", "serve_locally", "train_locally", "train_locally"),
    ]
    for options, _, words in runs:
        assert f"--volume {tmp_path / 'work'}/" in options
        assert ("--publish 127.0.0.1:" in options) is words.startswith("serve_locally")
