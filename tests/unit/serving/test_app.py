"""The WSGI application with a real model and without a server."""

import base64
import io
import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from image_classifier.inference.predictor import Predictor
from image_classifier.serving.app import create_app
from image_classifier.serving.processes.model_loader import ModelLoader
from image_classifier.serving.settings import MEGABYTE, ServingSettings
from tests.unit.inference import colours

X_IMAGE = {"Content-Type": "application/x-image"}


def test_ping_is_empty(client: FlaskClient) -> None:
    """Given a loaded model -> /ping returns 200 and an empty body, which has no type; nor have HEAD and OPTIONS."""
    answer = client.get("/ping")
    assert (answer.status_code, answer.data) == (200, b"")
    for empty in (answer, client.head("/ping"), client.options("/invocations")):
        assert (empty.status_code, empty.headers.get("Content-Type")) == (200, None)


def test_not_ready_before_the_model_is_loaded(green: bytes) -> None:
    """Given a model that is never loaded -> /ping and /invocations return 503 with a reason and Retry-After."""
    waiting = ModelLoader(lambda: pytest.fail("never started"), pytest.fail)
    client = create_app(waiting, ServingSettings()).test_client()
    for answer in (client.get("/ping"), client.post("/invocations", data=green, headers=X_IMAGE)):
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert answer.get_json()["error"] == "loading"


def test_image_is_answered_in_the_default_format(client: FlaskClient, green: bytes) -> None:
    """Given an image -> only probabilities, in index order, as plain application/json."""
    answer = client.post("/invocations", data=green, headers=X_IMAGE)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    found = answer.get_json()
    assert list(found) == ["probabilities"]
    assert found["probabilities"].index(max(found["probabilities"])) == 1


def test_verbose_response_has_labels(client: FlaskClient, green: bytes) -> None:
    """Given Accept with a space and a capital -> the three keys in order and the correct label, as application/json."""
    answer = client.post("/invocations", data=green, headers={**X_IMAGE, "Accept": "application/json; Verbose"})
    assert list(json.loads(answer.data)) == ["probabilities", "labels", "predicted_label"]
    assert answer.get_json()["labels"] == list(colours.LABELS)
    assert answer.get_json()["predicted_label"] == "green"
    assert answer.headers["Content-Type"] == "application/json"


def test_rows_are_answered_by_rows(client: FlaskClient, green: bytes) -> None:
    """Given the same image as two rows of JSON -> twice the prediction that it gets alone."""
    row = {"b64": base64.b64encode(green).decode()}
    many = client.post("/invocations", json={"instances": [row, row]}).get_json()
    alone = client.post("/invocations", data=green, headers=X_IMAGE).get_json()["probabilities"]
    assert len(many["predictions"]) == 2
    assert many["predictions"][0] == pytest.approx(alone, abs=1e-6)


def test_invalid_row_is_identified(client: FlaskClient, green: bytes) -> None:
    """Given text as the second of two rows -> 400 with its number."""
    bodies = [base64.b64encode(data).decode() for data in (green, b"text")]
    answer = client.post("/invocations", json={"instances": [{"b64": body} for body in bodies]})
    assert answer.status_code == 400
    assert answer.get_json()["message"].startswith("Image 2 of 2: ")


def test_wrong_content_type_is_noted_in_the_log(
    client: FlaskClient, green: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Given an image sent with the Content-Type of a form -> answered, with a note in the log."""
    with caplog.at_level(logging.INFO, "image_classifier.serving"):
        answer = client.post("/invocations", data=green, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status_code == 200
    assert [record.getMessage() for record in caplog.records if record.name == "image_classifier.serving"] == [
        "Content-Type is 'application/x-www-form-urlencoded', but the body is JPEG; accepted."
    ]


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status", "code"),
    [
        ("POST", "/invocations", X_IMAGE, b"", 400, "empty"),
        ("POST", "/invocations", X_IMAGE, b"text", 400, "unsupported_format"),
        ("POST", "/invocations", X_IMAGE, b"\xff\xd8\xff\xe0 broken", 400, "corrupt"),
        ("POST", "/invocations", {"Content-Type": "text/csv"}, b"1,2", 415, "unsupported_media_type"),
        ("POST", "/invocations", {**X_IMAGE, "Accept": "text/csv"}, b"x", 406, "not_acceptable"),
        ("GET", "/invocations", {}, b"", 405, "method_not_allowed"),
        ("POST", "/ping", {}, b"", 405, "method_not_allowed"),
        ("GET", "/elsewhere", {}, b"", 404, "not_found"),
        ("GET", "/ping/", {}, b"", 404, "not_found"),
    ],
)
def test_errors_are_json_sentences(
    client: FlaskClient, method: str, path: str, headers: dict[str, str], body: bytes, status: int, code: str
) -> None:
    """Given each kind of rejection -> its status, and JSON with a code and a sentence; never HTML."""
    answer = client.open(path, method=method, headers=headers, data=body)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/json")
    assert list(json.loads(answer.data)) == ["error", "message"]
    assert answer.get_json()["error"] == code
    assert answer.get_json()["message"].endswith(".")


def test_405_lists_the_allowed_methods(client: FlaskClient) -> None:
    """Given a GET of /invocations -> the Allow header lists POST."""
    assert "POST" in client.get("/invocations").headers["Allow"]


class CountingBody(io.RawIOBase):
    """An endless body that counts the bytes read."""

    def __init__(self) -> None:
        self.bytes_read = 0

    def read(self, size: int = -1) -> bytes:
        """Return `size` zeros."""
        assert size > 0, "an endless body must not be read to its end"
        self.bytes_read += size
        return bytes(size)


@pytest.mark.parametrize("announced", [True, False])
def test_large_body_is_rejected_unread(client_of: Callable[..., FlaskClient], announced: bool) -> None:
    """Given a body above the limit, with Content-Length or chunked -> 413; hardly more than the limit was read."""
    body = CountingBody()
    length = {"CONTENT_LENGTH": str(10 * MEGABYTE)} if announced else {"HTTP_TRANSFER_ENCODING": "chunked"}
    answer = client_of(max_body_bytes=MEGABYTE).post(
        "/invocations", headers=X_IMAGE, environ_overrides={"wsgi.input": body, "wsgi.input_terminated": True, **length}
    )
    assert (answer.status_code, answer.get_json()["error"]) == (413, "body_too_large")
    assert "1 MB" in answer.get_json()["message"]
    assert body.bytes_read <= (0 if announced else MEGABYTE + 65536)


def test_body_of_exactly_the_limit_is_read(client_of: Callable[..., FlaskClient]) -> None:
    """Given a body of exactly the limit -> rejected for its content; one more byte -> rejected for its size."""
    client = client_of(max_body_bytes=MEGABYTE)
    answers = [client.post("/invocations", headers=X_IMAGE, data=bytes(MEGABYTE + extra)) for extra in (0, 1)]
    assert [answer.get_json()["error"] for answer in answers] == ["unsupported_format", "body_too_large"]


def test_body_that_ends_early_is_rejected(client: FlaskClient, green: bytes) -> None:
    """Given fewer bytes than Content-Length -> 400, not a prediction for half an image."""
    overrides = {"wsgi.input": io.BytesIO(green[:100]), "CONTENT_LENGTH": str(len(green))}
    answer = client.post("/invocations", headers=X_IMAGE, environ_overrides=overrides)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "incomplete_body")


def test_internal_failure_hides_its_traceback(tmp_path: Path, green: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Given a model that returns NaN -> 500 with a sentence; the traceback is only in the log."""
    folder = colours.save(tmp_path, sharpness=float("nan"))
    loading = ModelLoader(lambda: Predictor.load(folder), pytest.fail)
    loading.start()
    assert loading.wait(60)
    answer = create_app(loading, ServingSettings()).test_client().post("/invocations", data=green, headers=X_IMAGE)
    assert (answer.status_code, answer.get_json()["error"]) == (500, "internal_error")
    assert b"Traceback" not in answer.data
    assert b"NaN" not in answer.data
    assert "not finite" in caplog.text
