"""The web UI at `GET /`; what it shows is in `image_classifier.pages`. Nothing here is imported when it is off."""

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path

from flask import Flask, Response, abort, g
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from image_classifier import pages
from image_classifier.imaging import sniff
from image_classifier.inference.predictor import Predictor
from image_classifier.pages import try_page
from image_classifier.pages.try_page import TryPage
from image_classifier.serving.page import browsers, model_card, samples
from image_classifier.serving.settings import ServingSettings

ROUTES = "GET / is the web UI."
"""For error messages, after the sentence about the other routes."""
SHARED = ("tokens.css", "base.css", "icon.svg")
"""Those of `pages.FILES` that the web UI loads."""
_HERE = Path(__file__).parent
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
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


def add_to(app: Flask, predictor: Callable[[], Predictor], settings: ServingSettings) -> None:
    """Add the web UI to an application: `GET /`, its files, the model card, and the duration of each response.

    `predictor` returns the predictor, or raises the rejection of requests while it is loading. Cross-site requests of
    browsers are rejected, and those whose Host is not this machine, the bound address or an allowed one.
    """
    browsers.guard(app, settings.host, settings.allowed_hosts)
    index_page, files = _index(), _files()
    offered = samples.find(settings.samples)

    @app.get("/")
    def index() -> Response:
        return Response(index_page, mimetype="text/html", headers=_HEADERS)

    @app.get("/page/<name>")
    def asset(name: str) -> Response:
        if name not in files:
            abort(404)
        return Response(files[name], mimetype=_TYPES[Path(name).suffix], headers=_HEADERS)

    @app.get("/page/facts")
    def card() -> Response:
        fields = dataclasses.asdict(model_card.build(predictor(), settings.explain, offered))
        return Response(json.dumps(fields, allow_nan=False), mimetype="application/json", headers=_HEADERS)

    @app.get("/page/samples/<int:number>")
    def sample(number: int) -> Response:
        if number >= len(offered) or not offered[number].is_file():
            abort(404)
        content = offered[number].read_bytes()
        return Response(content, mimetype=f"image/{(sniff(content) or 'jpeg').lower()}", headers=_HEADERS)

    _add_server_timing(app)


def _index() -> str:
    # The model is not in it: its names come as JSON, and become text only.
    loader = FileSystemLoader([_HERE, try_page.TEMPLATES])
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    addresses = TryPage(facts="page/facts", invocations="invocations")
    return environment.get_template("index.html.j2").render(try_page=addresses)


def _files() -> dict[str, bytes]:
    shared = {name: pages.text(name).encode() for name in SHARED}
    return {**shared, "style.css": (_HERE / "style.css").read_bytes(), **try_page.static_files()}


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
