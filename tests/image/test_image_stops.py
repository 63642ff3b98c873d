import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.image.conftest import name_of_image
from tests.image.containers import ISOLATED, Answer, Job, Start, ask, docker
from tests.waiting import wait_until

CLIENTS = 8


def test_sigterm_ends_a_job_with_its_best_model(
    start: Start, make_opt_ml: Callable[..., Path], photographs: Path
) -> None:
    """Given SIGTERM after the first epoch of a long job -> exit code 0 within 100 s and a model that can be served."""
    opt_ml = make_opt_ml(photographs / "held-out", {"epochs": "1000", "batch_size": "8"})
    container = start("train", options=(*ISOLATED, "--volume", f"{opt_ml}:/opt/ml"))
    wait_until(lambda: "val_accuracy: " in container.log(), 120, f"an epoch is over: {container.log()}", 0.5)
    docker("kill", "--signal", "TERM", container.name)
    assert container.exit_code(seconds=100) == 0, container.log()
    assert not (opt_ml / "output" / "failure").exists()
    server = start("serve", options=(*ISOLATED, "--volume", f"{opt_ml / 'model'}:/opt/ml/model:ro"))
    server.wait_for_ping()


@pytest.mark.parametrize("target", ["serve", "cpu"])
def test_docker_stop_loses_no_accepted_request(
    target: str, start: Start, published: tuple[str, ...], trained: Job, picture: bytes
) -> None:
    """Given `docker stop` while clients ask without a pause -> each got its answer or was never let in; exit code 0."""
    container = start("serve", image=name_of_image(target), options=(*published, *trained.model_mounted()))
    container.wait_for_ping()
    url, stopped = f"{container.published()}/invocations", threading.Event()
    answers: list[Answer] = []

    def keep_asking() -> None:
        while not stopped.is_set():
            answers.append(ask(url, picture))
            if answers[-1].status == 0:
                return

    clients = [threading.Thread(target=keep_asking) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    wait_until(lambda: len(answers) > 5 * CLIENTS, 30, "the server is under load")
    docker("stop", "--time", "30", container.name)
    stopped.set()
    for client in clients:
        client.join(timeout=60)
    refused = [answer for answer in answers if answer.status == 0]
    assert {answer.status for answer in answers} <= {200, 503, 0}
    assert all(b"refused" in answer.body for answer in refused), refused
    assert container.exit_code() == 0, container.log()
