"""The routes of a server of one model: start reading here, then invocations.py."""

from typing import Protocol

from flask import Flask, Response

from image_classifier.inference.predictor import Predictor
from image_classifier.serving import errors
from image_classifier.serving.connections.admission import Admission
from image_classifier.serving.invocations import Invocations
from image_classifier.serving.monitoring import observation
from image_classifier.serving.monitoring.metrics import Metrics
from image_classifier.serving.rejection import RejectedError
from image_classifier.serving.settings import Settings

_ROUTES = "This server answers GET /ping, POST /invocations, GET /execution-parameters and GET /metrics."


class Model(Protocol):
    """Where the predictor comes from."""

    @property
    def predictor(self) -> Predictor | None:
        """The predictor once it is loaded and warm, None before."""
        ...

    @property
    def ready_at(self) -> float | None:
        """Unix time at which it was loaded and warm, None before."""
        ...


def create_app(model: Model, settings: Settings) -> Flask:
    """Build the WSGI application with `GET /ping`, `POST /invocations` and what watches them."""
    app = Flask("image_classifier", static_folder=None)
    admission, metrics = Admission(settings.in_flight), Metrics()
    invocations = Invocations(settings, admission)

    @app.get("/ping")
    def ping() -> Response:
        _loaded(model)
        return Response(status=200)

    @app.post("/invocations")
    def invoke() -> Response:
        return invocations.answer(_loaded(model))

    @app.get("/execution-parameters")
    def execution_parameters() -> Response:
        return Response(settings.execution_parameters.json(), mimetype="application/json")

    def describe() -> None:
        if model.predictor is not None:
            metrics.describe({"": model.predictor}, model.ready_at)

    observation.observe(app, metrics, settings, admission, describe)
    routes = _ROUTES
    if settings.page:
        from image_classifier.serving import page

        page.add_to(app, lambda: _loaded(model), settings.host, settings.allowed_hosts)
        routes = f"{routes} {page.ROUTES}"
    errors.explain(app, routes)
    return app


def _loaded(model: Model) -> Predictor:
    predictor = model.predictor
    if predictor is None:
        message = "The model is still being loaded; try again in a second."
        raise RejectedError(503, "loading", message, {"Retry-After": "1"})
    return predictor
