import json

import pytest

from tests.image.conftest import name_of_image
from tests.image.containers import Job, Start, ask
from tests.support.waiting import free_port


@pytest.mark.parametrize("target", ["serve", "cpu"])
def test_requests_arrive_at_the_port_that_was_asked_for(target: str, start: Start, trained: Job, photo: bytes) -> None:
    """Given SAGEMAKER_BIND_TO_PORT and the host's network -> an image sent to it gets one probability per class."""
    port = free_port()
    environment = ("--network", "host", "--env", f"SAGEMAKER_BIND_TO_PORT={port}")
    container = start("serve", image=name_of_image(target), options=(*environment, *trained.model_mounted()))
    url = f"http://127.0.0.1:{port}"
    container.wait_for_ping(url)
    answer = ask(f"{url}/invocations", photo, accept="application/json")
    assert len(json.loads(answer.body)["probabilities"]) == 2


def test_requests_from_outside_arrive_at_a_published_port(
    start: Start, published: tuple[str, ...], trained: Job, photo: bytes
) -> None:
    """Given `--publish` as in the README -> the server answers from outside the container."""
    container = start("serve", options=(*published, *trained.model_mounted()))
    container.wait_for_ping()
    assert ask(f"{container.published()}/invocations", photo).status == 200
