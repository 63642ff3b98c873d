import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.image.conftest import name_of_image
from tests.image.containers import ISOLATED, Answer, Job, Start, ask, docker
from tests.support.waiting import free_port, wait_until

CLIENTS = 8


@pytest.mark.every
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
def test_docker_stop_loses_no_accepted_request(target: str, start: Start, trained: Job, photo: bytes) -> None:
    """Given `docker stop` while clients ask without a pause -> each got its answer or was never let in; exit code 0."""
    # On the host's network, since a published port is Docker's, which takes connections for a server that is gone.
    port, stopped = free_port(), threading.Event()
    url = f"http://127.0.0.1:{port}"
    listening = ("--network", "host", "--env", f"SAGEMAKER_BIND_TO_PORT={port}", "--env", "SERVE_HOST=127.0.0.1")
    container = start("serve", image=name_of_image(target), options=(*listening, *trained.model_mounted()))
    container.wait_for_ping(url)
    answers: list[Answer] = []

    def keep_asking() -> None:
        while not stopped.is_set():
            answers.append(ask(f"{url}/invocations", photo))
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
    rejected = [answer for answer in answers if answer.status == 0]
    assert {answer.status for answer in answers} <= {200, 503, 0}
    assert len(answers) - len(rejected) > 5 * CLIENTS
    assert all(b"Connection refused" in answer.body for answer in rejected), rejected
    assert container.exit_code() == 0, container.log()
