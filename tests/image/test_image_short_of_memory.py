import pytest

from tests.image.containers import ISOLATED, Start
from tests.support import tiny_models


@pytest.fixture(scope="module")
def mounted(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Options that mount a small model."""
    folder = tiny_models.write(tmp_path_factory.mktemp("short-of-memory") / "model", "tiny").folder
    return ("--volume", f"{folder}:/opt/ml/model:ro")


def limited(megabytes: int) -> tuple[str, ...]:
    """Options that limit a container's memory, without swap."""
    return ("--memory", f"{megabytes}m", "--memory-swap", f"{megabytes}m")


def test_too_little_memory_is_said_before_the_start(start: Start, serve_image: str, mounted: tuple[str, ...]) -> None:
    """Given 48 MB -> exit code 1 and one line with need and have, instead of a process that the kernel kills."""
    container = start("serve", image=serve_image, options=(*ISOLATED, *mounted, *limited(48)))
    assert container.exit_code(30) == 1, container.log()
    lines = container.log().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("PlatformError: Serving this model needs about ")
    assert "MB are available" in lines[0]


def test_as_many_processes_as_fit_are_started(start: Start, serve_image: str, mounted: tuple[str, ...]) -> None:
    """Given 384 MB and eight processes wanted -> fewer, a line that says why, and a server that answers."""
    options = (*ISOLATED, *mounted, *limited(384), "--env", "SAGEMAKER_MODEL_SERVER_WORKERS=8")
    container = start("serve", image=serve_image, options=options)
    container.wait_for_ping()
    first = container.log().splitlines()[0]
    assert first.startswith("SAGEMAKER_MODEL_SERVER_WORKERS is 8, which needs about ")
    assert container.ask("/invocations", b"text").status == 400
    assert container.running()
