"""Headers of every response, and the execution parameters of batch transform."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from image_classifier.inference.engines import EngineOptions
from image_classifier.serving.settings import ExecutionParameters

X_IMAGE = {"Content-Type": "application/x-image"}
ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"


@pytest.mark.parametrize("body", [None, b"text"])
def test_custom_attributes_are_sent_back(client: FlaskClient, green: bytes, body: bytes | None) -> None:
    """Given attributes with an image, and with text -> they are sent back with the response and with the rejection."""
    given = "trace=1; c=~" + "x" * 1012
    answer = client.post("/invocations", data=body or green, headers={**X_IMAGE, ATTRIBUTES: given})
    assert answer.status_code == (400 if body else 200)
    assert answer.headers[ATTRIBUTES] == given


@pytest.mark.parametrize("given", ["x" * 1025, "é", "a\tb", ""])
def test_invalid_attributes_are_dropped(client: FlaskClient, green: bytes, given: str) -> None:
    """Given attributes that are too long or not printable ASCII -> the image is answered without them."""
    answer = client.post("/invocations", data=green, headers={**X_IMAGE, ATTRIBUTES: given})
    assert answer.status_code == 200
    assert ATTRIBUTES not in answer.headers


def test_every_response_has_an_id(client: FlaskClient, green: bytes) -> None:
    """Given requests with and without an id, answered and rejected -> theirs is sent back, the others get a new one."""
    named = client.post("/invocations", data=green, headers={**X_IMAGE, "X-Amzn-SageMaker-Inference-Id": "mine"})
    assert named.headers["X-Request-Id"] == "mine"
    others = {client.post("/invocations", data=b"text", headers=X_IMAGE).headers["X-Request-Id"] for _ in range(3)}
    assert len(others) == 3


def test_execution_parameters_are_returned(client_of: Callable[..., FlaskClient]) -> None:
    """Given parameters in the settings -> their JSON under the platform's names."""
    chosen = ExecutionParameters(concurrent_transforms=8, strategy="SINGLE_RECORD", payload_megabytes=12)
    answer = client_of(execution_parameters=chosen).get("/execution-parameters")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.get_json() == {"MaxConcurrentTransforms": 8, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 12}


def test_requested_precision_is_shown_beside_them(client_of: Callable[..., FlaskClient]) -> None:
    """Given SERVE_PRECISION=auto -> the response has the precision in use; by default the platform's keys alone."""
    assert (
        client_of(engine=EngineOptions(precision="auto")).get("/execution-parameters").get_json()["Precision"] == "f32"
    )
    assert "Precision" not in client_of().get("/execution-parameters").get_json()
