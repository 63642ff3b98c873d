"""A page for people at `GET /`: its files lie beside this one, and nothing here is imported when it is off."""

import dataclasses
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from flask import Flask, Response, abort, g

from image_classifier.inference.predictor import Predictor
from image_classifier.serving.page import browsers, model_card

ROUTES = "GET / is a page for people."
"""For errors, behind the sentence about the other routes."""
_HERE = Path(__file__).parent
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    # An image that was dropped is shown from the browser's own memory.
    "img-src": "'self' blob:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
    # Text of a model cannot become markup, whatever the scripts do with it.
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}
_HEADERS = {
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in _POLICY.items()),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # The next model or the next version at this address must not meet what a browser has kept.
    "Cache-Control": "no-store",
}


def add_to(app: Flask, loaded: Callable[[], Predictor], bound: str, more_hosts: Iterable[str]) -> None:
    """Add the page to an application: `GET /`, its files, the facts about the model, and the time of each answer.

    `loaded` returns the predictor; what it raises while there is none is answered. Requests that other sites make a
    browser send are rejected, and those under another host than this machine, the bound one and some more.
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
    def part(name: str) -> Response:
        return file(name)

    @app.get("/page/facts")
    def tell() -> Response:
        found = dataclasses.asdict(model_card.of(loaded()))
        return Response(json.dumps(found, allow_nan=False), mimetype="application/json", headers=_HEADERS)

    _add_time(app)


def _add_time(app: Flask) -> None:
    """Tell by the header Server-Timing for how many milliseconds the application had a request, its body included."""

    @app.before_request
    def start() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def stop(answer: Response) -> Response:
        # Another hook may have answered before this one had begun.
        if (started := g.get("started")) is not None:
            answer.headers.add("Server-Timing", f"total;dur={1000 * (time.perf_counter() - started):.1f}")
        return answer
