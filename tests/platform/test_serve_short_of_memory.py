"""Models that need more memory than is available, simulated by sparse files."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from image_classifier.resources import memory
from tests.platform.serving import Server
from tests.support import tiny_models

StartServer = Callable[..., Server]
TERABYTE = 1 << 40


@pytest.mark.every
def test_fewer_workers_are_started_if_fewer_fit(start: StartServer, colour_models: Path, tmp_path: Path) -> None:
    """Given two configured workers and memory for one -> one is started, after a line with both figures."""
    shutil.copytree(colour_models / "both", tmp_path / "model")
    padding = tmp_path / "model" / "1" / "padding"
    padding.touch()
    # The estimate of a worker is twice the size of its model's files.
    os.truncate(padding, int(memory.available_bytes() * 0.6 / 2))
    server = start(tmp_path, SAGEMAKER_MODEL_SERVER_WORKERS="2")
    server.wait_until_ready()
    assert len(server.workers()) == 1
    note = server.log().splitlines()[0]
    assert note.startswith("SAGEMAKER_MODEL_SERVER_WORKERS is 2, which needs about ")
    assert note.endswith(" MB are available. Starting 1.")


def test_too_little_memory_for_one_worker_stops_the_start(start: StartServer, tmp_path: Path) -> None:
    """Given a model that does not fit into memory -> exit code 1 and one line with both figures."""
    weights = tiny_models.write(tmp_path / "model", "tiny").folder / "openvino" / "model.bin"
    os.truncate(weights, TERABYTE)
    server = start(tmp_path)
    assert server.end(30) == 1
    (line,) = server.log().splitlines()
    assert line.startswith("PlatformError: Serving this model needs about 20972")
    assert "MB are available" in line
