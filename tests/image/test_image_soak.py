from collections.abc import Callable
from pathlib import Path

import pytest

from tests.benchmarks.soak.__main__ import LEAK
from tests.benchmarks.soak.watch import LIMIT, Soak, watch
from tests.benchmarks.watched_server import of_container
from tests.image.containers import Start
from tests.support import tiny_models
from tests.support.waiting import free_port


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model."""
    return tiny_models.write(tmp_path_factory.mktemp("soak") / "model", "tiny").folder


@pytest.fixture
def soak(start: Start, serve_image: str, model: Path) -> Callable[..., Soak]:
    """Return a function that loads the serve image for some seconds, with further options for the container."""

    def run(seconds: float, *options: str) -> Soak:
        port = free_port()
        # On the host's network: a published port is Docker's own, which would hang up in the server's place.
        listening = ("--env", f"SAGEMAKER_BIND_TO_PORT={port}", "--env", "SERVE_HOST=127.0.0.1", "--network", "host")
        mounted = ("--volume", f"{model}:/opt/ml/model:ro")
        container = start("serve", image=serve_image, options=(*listening, *mounted, *options))
        container.wait_for_ping(f"http://127.0.0.1:{port}")
        return watch(of_container(container, port), seconds, seed=7)

    return run


@pytest.mark.every
@pytest.mark.parametrize("seconds", [20, pytest.param(60, marks=pytest.mark.every)])
def test_mixed_load_leaves_memory_flat(
    seconds: int, soak: Callable[..., Soak], capsys: pytest.CaptureFixture[str]
) -> None:
    """Given seconds of images, bad ones, lists, pings and early hang-ups -> right answers, no death, flat memory."""
    found = soak(seconds)
    with capsys.disabled():
        last = found.samples[-1]
        told = f"{found.slope:+.2f} MB for 1,000, {last.megabytes:.0f} MB at the end"
        print(f"\nserve, {last.requests:,} requests under mixed load: {told}")
    assert found.faults == []
    assert last.requests > 1_000


@pytest.mark.every
def test_a_planted_leak_is_caught(soak: Callable[..., Soak]) -> None:
    """Given the same server keeping each body that it reads -> the same answers, and memory grows beyond the limit."""
    found = soak(20, "--volume", f"{LEAK}:/leak:ro", "--env", "PYTHONPATH=/leak")
    assert found.wrong == []
    assert found.slope > LIMIT
