"""Servers of models that need more memory than there is, which files that are large by their size alone tell."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from image_classifier.resources import memory
from tests.platform.serving import Server
from tests.support import tiny_models

StartServer = Callable[..., Server]
TERABYTE = 1 << 40


def test_fewer_processes_are_started_where_fewer_fit(start: StartServer, colour_models: Path, tmp_path: Path) -> None:
    """Given two processes that are wanted and memory for one -> one is started, after a line with need and have."""
    shutil.copytree(colour_models / "both", tmp_path / "model")
    padding = tmp_path / "model" / "1" / "padding"
    padding.touch()
    # A process is taken to need twice its model's files.
    os.truncate(padding, int(memory.available_bytes() * 0.6 / 2))
    server = start(tmp_path, SAGEMAKER_MODEL_SERVER_WORKERS="2")
    server.wait_until_ready()
    assert len(server.workers()) == 1
    note = server.log().splitlines()[0]
    assert note.startswith("SAGEMAKER_MODEL_SERVER_WORKERS is 2, which needs about ")
    assert note.endswith(" MB are available. Starting 1.")


def test_too_little_for_one_is_told_before_the_start(start: StartServer, tmp_path: Path) -> None:
    """Given a model for which there is not enough memory -> exit code 1 and one line with need and have."""
    weights = tiny_models.write(tmp_path / "model", "tiny").folder / "openvino" / "model.bin"
    os.truncate(weights, TERABYTE)
    server = start(tmp_path)
    assert server.end(30) == 1
    (line,) = server.log().splitlines()
    assert line.startswith("PlatformError: Serving this model needs about 20972")
    assert "MB are available" in line
