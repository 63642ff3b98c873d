"""/metrics, parsed by the library's own parser."""

import base64
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType, SimpleNamespace

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from image_classifier import __version__
from image_classifier.serving.app import create_app
from image_classifier.serving.connections import admission
from image_classifier.serving.monitoring import instrumentation
from image_classifier.serving.monitoring.measurement import RequestMeasurement
from image_classifier.serving.monitoring.metrics import Metrics
from image_classifier.serving.processes.model_loader import ModelLoader
from image_classifier.serving.rejection import RejectedError, body_too_large
from image_classifier.serving.settings import ServingSettings

X_IMAGE = {"Content-Type": "application/x-image"}
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class FixedLoad:
    """A worker with a given number of requests."""

    held: int = 0
    waiting: int = 0


def samples(text: str, name: str) -> dict[frozenset[tuple[str, str]], float]:
    """Return the values of a metric by their labels."""
    families = text_string_to_metric_families(text)
    return {
        frozenset(sample.labels.items()): sample.value
        for family in families
        for sample in family.samples
        if sample.name == f"image_classifier_{name}"
    }


def value(text: str, name: str, labels: Mapping[str, str] = _NOTHING) -> float | None:
    """Return the value of a metric, None if it has no such labels."""
    return samples(text, name).get(frozenset(labels.items()))


def metrics_text(client: FlaskClient) -> str:
    """Return the response of /metrics."""
    answer = client.get("/metrics")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return answer.text


def test_answered_and_rejected_requests_are_counted(client: FlaskClient, green: bytes) -> None:
    """Given two images, a text and an unknown path -> requests by route and status, errors by code."""
    for body in (green, b"text", green):
        client.post("/invocations", data=body, headers=X_IMAGE)
    client.get("/no/such/path")
    text = metrics_text(client)
    assert value(text, "requests_total", {"route": "/invocations", "status": "200"}) == 2
    assert value(text, "requests_total", {"route": "/invocations", "status": "400"}) == 1
    assert value(text, "requests_total", {"route": "none", "status": "404"}) == 1
    assert samples(text, "errors_total") == {
        frozenset({("error", "unsupported_format")}): 1,
        frozenset({("error", "not_found")}): 1,
    }


def test_stages_and_images_are_measured(client: FlaskClient, green: bytes) -> None:
    """Given a request of three images -> one observation per stage, three images, and stages within the total."""
    row = {"b64": base64.b64encode(green).decode()}
    assert client.post("/invocations", json={"instances": [row] * 3}).status_code == 200
    text = metrics_text(client)
    for name in ("queue", "decode", "engine", "request"):
        assert value(text, f"{name}_seconds_count") == 1
        assert value(text, f"{name}_seconds_bucket", {"le": "+Inf"}) == 1
    assert value(text, "request_images_sum") == 3
    assert value(text, "request_images_bucket", {"le": "2.0"}) == 0
    assert value(text, "request_images_bucket", {"le": "4.0"}) == 1
    stages = sum(value(text, f"{name}_seconds_sum") or 0 for name in ("queue", "decode", "engine"))
    assert 0 < stages <= (value(text, "request_seconds_sum") or 0)


def test_rejections_are_excluded_from_latencies(client: FlaskClient) -> None:
    """Given text instead of an image -> it is in no latency histogram."""
    client.post("/invocations", data=b"text", headers=X_IMAGE)
    assert value(metrics_text(client), "request_seconds_count") == 0


def test_model_and_start_times_are_exposed(client: FlaskClient, loading: ModelLoader) -> None:
    """Given a loaded model -> its engine, classes and size; started before it was ready."""
    text = metrics_text(client)
    [labels] = samples(text, "model_info")
    found = dict(labels)
    assert (found["classes"], found["image_size"], found["version"]) == ("3", "24x32", __version__)
    assert found["engine"] == loading.predictor.engine.name  # type: ignore[union-attr]
    assert value(text, "ready_time_seconds") == loading.ready_at
    assert (value(text, "start_time_seconds") or 0) > 1e9


def test_model_that_is_still_loading_is_not_exposed() -> None:
    """Given a server that is still loading -> /metrics responds without a model and with a ready time of 0."""
    waiting = ModelLoader(lambda: pytest.fail("never started"), pytest.fail)
    text = metrics_text(create_app(waiting, ServingSettings()).test_client())
    assert samples(text, "model_info") == {}
    assert value(text, "ready_time_seconds") == 0


def test_load_is_exposed() -> None:
    """Given five requests, two of them waiting -> three in progress and two waiting, and none when they are done."""
    metrics = Metrics()
    text = metrics.text(FixedLoad(held=5, waiting=2)).decode()
    assert (value(text, "requests_in_progress"), value(text, "requests_waiting")) == (3, 2)
    metrics.count("/invocations", 200, RequestMeasurement(), FixedLoad())
    text = metrics.text(FixedLoad()).decode()
    assert (value(text, "requests_in_progress"), value(text, "requests_waiting")) == (0, 0)


def test_unloaded_model_is_gone(loading: ModelLoader) -> None:
    """Given two models, one of them unloaded -> only the other is exposed."""
    metrics, predictor = Metrics(), loading.predictor
    assert predictor is not None
    metrics.set_models({"a": predictor, "b": predictor})
    assert len(samples(metrics.text(FixedLoad()).decode(), "model_info")) == 2
    metrics.set_models({"b": predictor})
    [left] = samples(metrics.text(FixedLoad()).decode(), "model_info")
    assert dict(left)["model"] == "b"


def test_odd_names_are_escaped(loading: ModelLoader) -> None:
    """Given a model name with quotes, backslashes and a line break -> the parser reads it back."""
    metrics, odd = Metrics(), 'a"b\\c\nd'
    assert loading.predictor is not None
    metrics.set_models({odd: loading.predictor})
    [labels] = samples(metrics.text(FixedLoad()).decode(), "model_info")
    assert dict(labels)["model"] == odd


def parsed_request(headers: Sequence[tuple[str, str]] = ()) -> SimpleNamespace:
    """Return a request as parsed by gunicorn."""
    return SimpleNamespace(method="POST", path="/invocations", headers=list(headers))


def test_rejections_before_the_application_are_counted(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    """Given rejections of the main loop -> they are in the metrics and the log like any other, with their ids."""
    rejected = client.application.extensions["observe_rejection"]
    asked_for = [("X-AMZN-SAGEMAKER-INFERENCE-ID", "order 7"), ("X-AMZN-SAGEMAKER-CUSTOM-ATTRIBUTES", "trace=1")]
    with caplog.at_level(logging.INFO, "image_classifier.serving"):
        told = rejected(parsed_request(asked_for), admission.busy(64))
        unknown = rejected(None, RejectedError(400, "malformed_request", "No HTTP."))
    assert told == {"X-Request-Id": "order 7", "X-Amzn-SageMaker-Custom-Attributes": "trace=1"}
    lines = [json.loads(record.getMessage()) for record in caplog.records]
    assert [line["request_id"] for line in lines] == ["order 7", *unknown.values()]
    text = metrics_text(client)
    assert value(text, "requests_total", {"route": "/invocations", "status": "503"}) == 1
    assert value(text, "requests_total", {"route": "none", "status": "400"}) == 1
    assert value(text, "errors_total", {"error": "busy"}) == 1
    assert '"error":"busy"' in caplog.text


def test_flood_of_rejections_does_not_flood_the_log(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given 500 rejections at once, one of another kind and a later one -> all counted, three log lines."""
    rejected = client.application.extensions["observe_rejection"]
    monkeypatch.setattr(instrumentation, "_LOG_INTERVAL_SECONDS", 1000.0)
    with caplog.at_level(logging.INFO, "image_classifier.serving"):
        for _ in range(500):
            rejected(parsed_request(), admission.busy(64))
        rejected(parsed_request(), body_too_large(1000))
        monkeypatch.setattr(instrumentation, "_LOG_INTERVAL_SECONDS", 0.0)
        rejected(parsed_request(), admission.busy(64))
    assert value(metrics_text(client), "errors_total", {"error": "busy"}) == 501
    lines = [json.loads(record.getMessage()) for record in caplog.records]
    assert [(line["error"], line.get("requests", 1)) for line in lines] == [
        ("busy", 1),
        ("body_too_large", 1),
        ("busy", 500),
    ]
