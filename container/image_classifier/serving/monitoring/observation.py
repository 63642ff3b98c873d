"""Around every request: its measurement, its line in the log, the headers that are sent back; and GET /metrics."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from flask import Flask, Response, request
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException

from image_classifier.serving.monitoring import access_log, measurement
from image_classifier.serving.monitoring.access_log import REQUEST_ID, AccessRecord
from image_classifier.serving.monitoring.measurement import Measurement
from image_classifier.serving.monitoring.metrics import CONTENT_TYPE, Load, Metrics
from image_classifier.serving.rejection import RejectedError
from image_classifier.serving.settings import Settings

REFUSALS = "observe_rejection"
"""Where the server finds, in `app.extensions`, whom it tells what it rejected before the application saw it."""
CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
_LONGEST_ATTRIBUTES = 1024
"""Characters, by InvokeEndpoint's reference."""
_NO_ROUTE = "none"
_SILENCE_SECONDS = 1.0
"""Between two lines about requests that did not fit; the later one says how many they were."""


def observe(app: Flask, metrics: Metrics, settings: Settings, load: Load, refresh: Callable[[], None]) -> None:
    """Measure, count and log every request of an application, and add `GET /metrics`.

    Args:
        app: The application.
        metrics: Where it is counted.
        settings: Which requests are logged.
        load: How busy the process is.
        refresh: Called before the numbers are shown; tells `metrics` which models are loaded.
    """

    @app.before_request
    def begin() -> None:
        measurement.begin()

    @app.after_request
    def end(response: Response) -> Response:
        measured = measurement.current()
        sent_back = _sent_back(request.headers)
        response.headers.update(sent_back)
        exchange = AccessRecord(
            request.method, request.path, response.status_code, sent_back[REQUEST_ID], response.content_length
        )
        metrics.count(request.url_rule.rule if request.url_rule else _NO_ROUTE, exchange.status, measured, load)
        access_log.write(exchange, measured, settings.access_log)
        return response

    app.extensions[REFUSALS] = _Rejections(app, metrics, settings, load)

    @app.get("/metrics")
    def show() -> Response:
        refresh()
        return Response(metrics.text(load), content_type=CONTENT_TYPE)


class _Rejections:
    """Called by the server's main loop, a thousand times a second when there is far too much to do."""

    def __init__(self, app: Flask, metrics: Metrics, settings: Settings, load: Load):
        self._metrics, self._settings, self._load = metrics, settings, load
        self._route = lru_cache(maxsize=64)(lambda method, path: _route(app, method, path))
        self._unsaid, self._said_at = 0, float("-inf")

    def __call__(self, request: Any, rejection: RejectedError) -> Mapping[str, str]:
        """Count and log a rejection of gunicorn's request, None when no header has come; return what is sent back."""
        measured = Measurement(error=rejection.code)
        method, path = (request.method, request.path) if request else ("", "")
        sent_back = _sent_back(Headers(request.headers if request else ()))
        self._metrics.count(self._route(method, path), rejection.status, measured, self._load)
        requests = 1
        if rejection.status == 503:
            self._unsaid += 1
            if measured.started - self._said_at < _SILENCE_SECONDS:
                return sent_back
            requests, self._unsaid, self._said_at = self._unsaid, 0, measured.started
        exchange = AccessRecord(method, path, rejection.status, sent_back[REQUEST_ID], requests=requests)
        access_log.write(exchange, measured, self._settings.access_log)
        return sent_back


def _sent_back(headers: Headers) -> dict[str, str]:
    found = {REQUEST_ID: access_log.request_id(headers)}
    attributes = headers.get(CUSTOM_ATTRIBUTES, "")
    if access_log.is_printable(attributes, _LONGEST_ATTRIBUTES):
        found[CUSTOM_ATTRIBUTES] = attributes
    return found


def _route(app: Flask, method: str, path: str) -> str:
    try:
        rule, _ = app.url_map.bind("").match(path, method, return_rule=True)
    except HTTPException:
        return _NO_ROUTE
    return str(rule.rule)
