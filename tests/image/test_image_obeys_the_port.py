import json
import urllib.request
from pathlib import Path

from tests.image.containers import Job, Start
from tests.waiting import answers, free_port, wait_until


def test_requests_from_outside_arrive_at_the_port_that_was_asked_for(
    start: Start, trained: Job, photographs: Path
) -> None:
    """Given SAGEMAKER_BIND_TO_PORT and the host's network -> a picture sent to it gets one probability a class."""
    port = free_port()
    environment = ("--network", "host", "--env", f"SAGEMAKER_BIND_TO_PORT={port}")
    container = start("serve", options=(*environment, *trained.model_mounted()))
    url = f"http://127.0.0.1:{port}"
    wait_until(lambda: answers(f"{url}/ping"), 90, f"/ping says 200; the log: {container.log()}")
    picture = next((photographs / "held-out").glob("*/*")).read_bytes()
    headers = {"Content-Type": "application/x-image", "Accept": "application/json"}

    with urllib.request.urlopen(urllib.request.Request(f"{url}/invocations", picture, headers), timeout=60) as answer:
        assert len(json.loads(answer.read())["probabilities"]) == 2
