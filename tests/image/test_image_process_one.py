from collections.abc import Callable
from pathlib import Path

from tests.image.containers import Container, Job, Start, docker
from tests.support.waiting import wait_until


def test_serve_is_process_one(server: Container) -> None:
    """Given a server -> process 1 is gunicorn itself, no shell and no init program, so SIGTERM reaches it."""
    assert any(word.endswith("gunicorn") for word in server.first_process()[:3]), server.first_process()


def test_train_is_process_one(start: Start, make_opt_ml: Callable[..., Path], photographs: Path) -> None:
    """Given a job -> process 1 is our program in Python, so SIGTERM reaches it."""
    opt_ml = make_opt_ml(photographs / "held-out")
    container = start("train", options=("--network", "none", "--volume", f"{opt_ml}:/opt/ml"))
    wait_until(container.running, 10, "the job runs")
    interpreter, program = container.first_process()[:2]
    # No test waits for its end, and it would take a CPU from the other tests.
    docker("kill", container.name)
    assert interpreter.rpartition("/")[2].startswith("python")
    assert program == "/opt/program/train"


def test_sigterm_ends_a_server_in_time(start: Start, trained: Job) -> None:
    """Given SIGTERM to an idle server -> it ends with exit code 0 well before the platform's SIGKILL after 30 s."""
    container = start("serve", options=("--network", "none", *trained.model_mounted()))
    container.wait_for_ping()
    docker("kill", "--signal", "TERM", container.name)
    assert container.exit_code(seconds=20) == 0, container.log()
