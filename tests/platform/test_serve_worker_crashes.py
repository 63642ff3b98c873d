"""Workers that are killed, abort or crash."""

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.platform import sample_images
from tests.platform.serving import Server
from tests.support.waiting import wait_until

IMAGE = sample_images.encode(sample_images.plain(), "PNG")
StartServer = Callable[..., Server]


@pytest.fixture
def tree(colour_models: Path, tmp_path: Path) -> Path:
    """A platform tree with a model that OpenVINO serves."""
    shutil.copytree(colour_models / "both+openvino", tmp_path / "model")
    return tmp_path


def kill_one(server: Server, how: signal.Signals) -> None:
    """Kill the oldest worker, and wait until it is gone and all are running again."""
    before = server.workers()
    os.kill(before[0], how)
    wait_until(lambda: len(server.workers()) == len(before) and before[0] not in server.workers(), 20, "another")


def wait_for_ready_lines(server: Server, count: int) -> None:
    """Wait for a number of ready lines in the log, those of crashed workers included."""
    wait_until(lambda: server.log().count("Ready on port") == count, 60, f"{count} processes were ready")


def test_others_serve_while_a_crashed_worker_is_restarted(start: StartServer, tree: Path) -> None:
    """Given one of two workers killed, aborted, crashed -> images are answered; the third restart waits 2 s."""
    server = start(tree, SAGEMAKER_MODEL_SERVER_WORKERS="2")
    server.wait_until_ready()
    began = 0.0
    for ready, how in enumerate((signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV), 2):
        wait_for_ready_lines(server, ready)
        began = time.monotonic()
        kill_one(server, how)
        wait_until(lambda: server.classify(IMAGE).status == 200, 20, "an image is answered", pause=0.1)
    wait_for_ready_lines(server, 5)
    assert time.monotonic() - began > 2
    exits = [line for line in server.log().splitlines() if line.endswith("exited unexpectedly; restarting it.")]
    assert len(exits) == 3
    assert server.process.poll() is None
    server.process.terminate()
    assert server.end() == 0
    assert server.log().count("exited unexpectedly") == 3


@pytest.mark.every
def test_loading_worker_leaves_connections_to_ready_ones(start: StartServer, tree: Path) -> None:
    """Given a restarted worker that takes seconds to load -> no image gets a 503 in the meantime."""
    server = start(tree, SAGEMAKER_MODEL_SERVER_WORKERS="2", SERVE_ENGINE="tensorflow")
    server.wait_until_ready()
    wait_for_ready_lines(server, 2)
    kill_one(server, signal.SIGKILL)
    statuses: list[int] = []

    def is_replaced() -> bool:
        statuses.append(server.classify(IMAGE).status)
        return server.log().count("Ready on port") == 3

    wait_until(is_replaced, 60, "the next one is ready", pause=0.01)
    assert len(statuses) > 10
    assert set(statuses) == {200}
    server.process.terminate()
    assert server.end() == 0


def test_exceeded_crash_budget_stops_the_server(start: StartServer, tree: Path) -> None:
    """Given two crashes where one a minute is tolerated -> exit code 1 and one last line with the reason."""
    server = start(tree, SERVE_MAX_WORKER_CRASHES="1")
    server.wait_until_ready()
    kill_one(server, signal.SIGKILL)
    os.kill(server.workers()[0], signal.SIGKILL)
    assert server.end(20) == 1
    last = server.log().splitlines()[-1]
    assert last.startswith("PlatformError: 2 workers exited unexpectedly within a minute; SERVE_MAX_WORKER_CRASHES a")
