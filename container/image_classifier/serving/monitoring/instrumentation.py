"""Instrument every request: measurements, access log, response headers; and GET /metrics."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from flask import Flask, Response, request
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException

from image_classifier.serving.monitoring import access_log, measurement
from image_classifier.serving.monitoring.access_log import REQUEST_ID, AccessRecord
from image_classifier.serving.monitoring.measurement import RequestMeasurement
from image_classifier.serving.monitoring.metrics import CONTENT_TYPE, Load, Metrics
from image_classifier.serving.rejection import RejectedError
from image_classifier.serving.settings import ServingSettings

REJECTION_OBSERVER = "observe_rejection"
"""Key in `app.extensions` of the function that the server calls with each request rejected before the application."""
CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
_LONGEST_ATTRIBUTES = 1024
"""Characters, by InvokeEndpoint's reference."""
_NO_ROUTE = "none"
_LOG_INTERVAL_SECONDS = 1.0
"""Between two log lines about overload; each has the number of requests that it represents."""


def instrument(
    app: Flask, metrics: Metrics, settings: ServingSettings, load: Load, refresh: Callable[[], None]
) -> None:
    """Measure, count and log every request of an application, and add `GET /metrics`.

    Args:
        app: The application.
        metrics: The metrics to update.
        settings: The level of the access log.
        load: The load of the worker.
        refresh: Called before the metrics are returned; updates the loaded models.
    """

    @app.before_request
    def begin() -> None:
        measurement.begin()

    @app.after_request
    def end(response: Response) -> Response:
        measured = measurement.current()
        sent_back = _headers_to_send_back(request.headers)
        response.headers.update(sent_back)
        record = AccessRecord(
            request.method, request.path, response.status_code, sent_back[REQUEST_ID], response.content_length
        )
        metrics.count(request.url_rule.rule if request.url_rule else _NO_ROUTE, record.status, measured, load)
        access_log.write(record, measured, settings.access_log)
        return response

    app.extensions[REJECTION_OBSERVER] = _RejectionObserver(app, metrics, settings, load)

    @app.get("/metrics")
    def metrics_text() -> Response:
        refresh()
        return Response(metrics.text(load), content_type=CONTENT_TYPE)


class _RejectionObserver:
    """Called by the server's main loop, a thousand times a second under overload."""

    def __init__(self, app: Flask, metrics: Metrics, settings: ServingSettings, load: Load):
        self._metrics, self._settings, self._load = metrics, settings, load
        self._route = lru_cache(maxsize=64)(lambda method, path: _route(app, method, path))
        self._unlogged, self._logged_at = 0, float("-inf")

    def __call__(self, request: Any, rejection: RejectedError) -> Mapping[str, str]:
        """Count and log a rejection; `request` is None before its header is complete. Return headers to send back."""
        measured = RequestMeasurement(error=rejection.code)
        method, path = (request.method, request.path) if request else ("", "")
        sent_back = _headers_to_send_back(Headers(request.headers if request else ()))
        self._metrics.count(self._route(method, path), rejection.status, measured, self._load)
        requests = 1
        if rejection.status == 503:
            self._unlogged += 1
            if measured.started - self._logged_at < _LOG_INTERVAL_SECONDS:
                return sent_back
            requests, self._unlogged, self._logged_at = self._unlogged, 0, measured.started
        record = AccessRecord(method, path, rejection.status, sent_back[REQUEST_ID], requests=requests)
        access_log.write(record, measured, self._settings.access_log)
        return sent_back


def _headers_to_send_back(headers: Headers) -> dict[str, str]:
    headers_back = {REQUEST_ID: access_log.request_id(headers)}
    attributes = headers.get(CUSTOM_ATTRIBUTES, "")
    if access_log.is_printable(attributes, _LONGEST_ATTRIBUTES):
        headers_back[CUSTOM_ATTRIBUTES] = attributes
    return headers_back


def _route(app: Flask, method: str, path: str) -> str:
    try:
        rule, _ = app.url_map.bind("").match(path, method, return_rule=True)
    except HTTPException:
        return _NO_ROUTE
    return str(rule.rule)
