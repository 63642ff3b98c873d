"""The web UI at `GET /`; its files are in this folder, and nothing here is imported when it is off."""

import dataclasses
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from flask import Flask, Response, abort, g

from image_classifier.inference.predictor import Predictor
from image_classifier.serving.page import browsers, model_card

ROUTES = "GET / is the web UI."
"""For error messages, after the sentence about the other routes."""
_HERE = Path(__file__).parent
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    # Dropped images are shown from the browser's memory.
    "img-src": "'self' blob:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
    # Text from a model cannot become markup, whatever the scripts do with it.
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}
_HEADERS = {
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in _POLICY.items()),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Another model or version at this address must not get files from the browser's cache.
    "Cache-Control": "no-store",
}


def add_to(app: Flask, predictor: Callable[[], Predictor], bound: str, more_hosts: Iterable[str]) -> None:
    """Add the web UI to an application: `GET /`, its files, the model card, and the duration of each response.

    `predictor` returns the predictor, or raises the rejection of requests while it is loading. Cross-site requests of
    browsers are rejected, and those whose Host is not this machine, the bound address or one of `more_hosts`.
    """
    browsers.guard(app, bound, more_hosts)
    files = {path.name: path.read_bytes() for path in _HERE.iterdir() if path.suffix in _TYPES}

    def file(name: str) -> Response:
        if name not in files:
            abort(404)
        return Response(files[name], mimetype=_TYPES[Path(name).suffix], headers=_HEADERS)

    @app.get("/")
    def index() -> Response:
        return file("index.html")

    @app.get("/page/<name>")
    def asset(name: str) -> Response:
        return file(name)

    @app.get("/page/facts")
    def card() -> Response:
        fields = dataclasses.asdict(model_card.build(predictor()))
        return Response(json.dumps(fields, allow_nan=False), mimetype="application/json", headers=_HEADERS)

    _add_server_timing(app)


def _add_server_timing(app: Flask) -> None:
    """Add the header Server-Timing: milliseconds in the application, reading the body included."""

    @app.before_request
    def start() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def stop(response: Response) -> Response:
        # Another hook may have responded before `start` was called.
        if (started := g.get("started")) is not None:
            response.headers.add("Server-Timing", f"total;dur={1000 * (time.perf_counter() - started):.1f}")
        return response
