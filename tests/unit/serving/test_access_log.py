"""The access log."""

import json
import logging
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from image_classifier.serving.monitoring import access_log
from image_classifier.serving.monitoring.access_log import AccessRecord
from image_classifier.serving.monitoring.measurement import RequestMeasurement

X_IMAGE = {"Content-Type": "application/x-image"}


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[dict[str, object]]]:
    """Return a function that returns the parsed lines logged so far at level INFO and above."""
    caplog.set_level(logging.INFO, "image_classifier.serving")

    def parsed() -> list[dict[str, object]]:
        return [json.loads(record.getMessage()) for record in caplog.records if record.name == access_log.log.name]

    return parsed


def test_answered_request_is_logged(
    client: FlaskClient, green: bytes, lines: Callable[[], list[dict[str, object]]]
) -> None:
    """Given an image -> one line: request, sizes, and stages whose sum is within the total."""
    answer = client.post("/invocations", data=green, headers={**X_IMAGE, "X-Request-Id": "abc-1"})
    [line] = lines()
    times = [line.pop(name) for name in ("queue_ms", "decode_ms", "engine_ms", "total_ms")]
    assert line == {
        "request_id": "abc-1",
        "method": "POST",
        "path": "/invocations",
        "status": 200,
        "bytes_in": len(green),
        "bytes_out": len(answer.data),
        "images": 1,
    }
    assert all(isinstance(time, float) and time >= 0 for time in times)
    assert sum(times[:3]) <= times[3] + 0.2  # type: ignore[arg-type, operator]


def test_rejected_request_is_logged_with_its_code(
    client: FlaskClient, lines: Callable[[], list[dict[str, object]]]
) -> None:
    """Given a body other than an image -> the line has the code, and no stage that was not reached."""
    client.post("/invocations", data=b"text", headers=X_IMAGE)
    [line] = lines()
    assert (line["status"], line["error"]) == (400, "unsupported_format")
    assert "engine_ms" not in line


def test_polled_paths_are_logged_at_debug(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, lines: Callable[[], list[dict[str, object]]]
) -> None:
    """Given /ping and /metrics -> no line at INFO, one each at DEBUG."""
    client.get("/ping")
    client.get("/metrics")
    assert lines() == []
    caplog.set_level(logging.DEBUG, "image_classifier.serving")
    client.get("/ping")
    client.get("/metrics")
    assert [line["path"] for line in lines()] == ["/ping", "/metrics"]


def test_level_above_info_logs_nothing(client: FlaskClient, green: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Given level WARNING -> no line, neither of an answered nor of a rejected request."""
    caplog.set_level(logging.WARNING, "image_classifier.serving")
    for body in (green, b"text"):
        client.post("/invocations", data=body, headers=X_IMAGE)
    assert caplog.records == []


@pytest.mark.parametrize(("which", "statuses"), [("all", [200, 400]), ("errors", [400]), ("off", [])])
def test_setting_selects_the_requests(
    client_of: Callable[..., FlaskClient],
    green: bytes,
    lines: Callable[[], list[dict[str, object]]],
    which: str,
    statuses: list[int],
) -> None:
    """Given an answered and a rejected request -> lines for those that the setting selects."""
    client = client_of(access_log=which)
    for body in (green, b"text"):
        client.post("/invocations", data=body, headers=X_IMAGE)
    assert [line["status"] for line in lines()] == statuses


def test_only_the_id_of_a_request_is_logged(
    client: FlaskClient, green: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Given headers, a query and an image with marker words -> none of the words is in the log at level DEBUG."""
    caplog.set_level(logging.DEBUG, "image_classifier.serving")
    headers = {**X_IMAGE, "Authorization": "secret-1", "X-Amzn-SageMaker-Custom-Attributes": "secret-2"}
    client.post("/invocations?key=secret-3", data=green + b"secret-4", headers=headers)
    assert len(caplog.records) == 1
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"X-Request-Id": "a b"}, "a b"),
        ({"X-Request-Id": "one", "X-Amzn-RequestId": "two"}, "two"),
        ({"X-Amzn-RequestId": "two", "X-Amzn-SageMaker-Inference-Id": " three "}, "three"),
        ({"X-Request-Id": "x" * 128}, "x" * 128),
    ],
)
def test_valid_id_is_kept(headers: dict[str, str], found: str) -> None:
    """Given valid ids -> the platform's first, unchanged."""
    assert access_log.request_id(headers) == found


@pytest.mark.parametrize("given", ["", "x" * 129, "a\nb", "é", "\x1b[31m", "\x00"])
def test_invalid_id_is_replaced(given: str) -> None:
    """Given an id that is too long or not printable ASCII -> new, distinct ids of 16 hexadecimal digits."""
    found = {access_log.request_id({"X-Request-Id": given}) for _ in range(10)}
    assert len(found) == 10
    assert all(len(identifier) == 16 and int(identifier, 16) >= 0 for identifier in found)


def test_line_stays_one_line() -> None:
    """Given a path with line breaks and 1,000 more characters -> one line of JSON of the usual length."""
    path = "/a\nb\r\u2028" + "x" * 1000
    text = access_log.line(AccessRecord("GET", path, 404, "id"), RequestMeasurement(error="not_found"))
    assert len(text.splitlines()) == 1
    assert len(text) < 400
    assert json.loads(text)["path"].startswith("/a\nb")
