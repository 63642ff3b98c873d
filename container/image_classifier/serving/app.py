"""The routes of a single-model server: start reading here, then invocations.py."""

from typing import Protocol

from flask import Flask, Response

from image_classifier.contract import serving_variables as variables
from image_classifier.inference.predictor import Predictor
from image_classifier.serving import errors
from image_classifier.serving.connections.admission import Admission
from image_classifier.serving.invocations import Invocations
from image_classifier.serving.monitoring import instrumentation
from image_classifier.serving.monitoring.metrics import Metrics
from image_classifier.serving.rejection import RejectedError
from image_classifier.serving.settings import ServingSettings

_ROUTES = "This server answers GET /ping, POST /invocations, GET /execution-parameters and GET /metrics."


class Model(Protocol):
    """A model that is being loaded or ready."""

    @property
    def predictor(self) -> Predictor | None:
        """The predictor once it is loaded and warm, None before."""
        ...

    @property
    def ready_at(self) -> float | None:
        """Unix time at which it was loaded and warm, None before."""
        ...


def create_app(model: Model, settings: ServingSettings) -> Flask:
    """Build the WSGI application: `GET /ping`, `POST /invocations`, metrics, and the web UI if enabled."""
    app = Flask("image_classifier", static_folder=None)
    app.response_class = errors.TypedResponse
    admission, metrics = Admission(settings.in_flight), Metrics()
    invocations = Invocations(settings, admission)

    @app.get("/ping")
    def ping() -> Response:
        _ready(model)
        return app.response_class(status=200)

    @app.post("/invocations")
    def invoke() -> Response:
        return invocations.handle(_ready(model))

    @app.get("/execution-parameters")
    def execution_parameters() -> Response:
        # By default the response has the platform's keys alone.
        shown = model.predictor if settings.engine.precision != variables.PRECISION.default else None
        precision = shown.engine.precision if shown else None
        return Response(settings.execution_parameters.json(precision), mimetype="application/json")

    def update_model_info() -> None:
        if model.predictor is not None:
            metrics.set_models({"": model.predictor}, model.ready_at)

    instrumentation.instrument(app, metrics, settings, admission, update_model_info)
    routes = _ROUTES
    if settings.page:
        # A server without the page loads neither Jinja2 nor the page's files.
        from image_classifier.serving import page

        page.add_to(app, lambda: _ready(model), settings)
        routes = f"{routes} {page.ROUTES}"
    errors.register_error_handlers(app, routes)
    return app


def _ready(model: Model) -> Predictor:
    predictor = model.predictor
    if predictor is None:
        raise RejectedError(503, "loading", "The model is still being loaded. Retry in 1 s.", {"Retry-After": "1"})
    return predictor
