"""The routes of a server of one model: start reading here, then invocations.py."""

from typing import Protocol

from flask import Flask, Response

from image_classifier.inference.predictor import Predictor
from image_classifier.serving import errors
from image_classifier.serving.admission import Admission
from image_classifier.serving.invocations import Invocations
from image_classifier.serving.refusal import RefusedError
from image_classifier.serving.settings import Settings

_ROUTES = "This server answers GET /ping and POST /invocations."


class Model(Protocol):
    """Where the predictor comes from."""

    @property
    def predictor(self) -> Predictor | None:
        """The predictor once it is loaded and warm, None before."""
        ...


def create_app(model: Model, settings: Settings) -> Flask:
    """Build the WSGI application with `GET /ping` and `POST /invocations`."""
    app = Flask("image_classifier", static_folder=None)
    invocations = Invocations(settings, Admission(settings.in_flight))

    @app.get("/ping")
    def ping() -> Response:
        _loaded(model)
        return Response(status=200)

    @app.post("/invocations")
    def invoke() -> Response:
        return invocations.answer(_loaded(model))

    routes = _ROUTES
    if settings.page:
        from image_classifier.serving import page

        page.add_to(app, lambda: _loaded(model))
        routes = f"{routes} {page.ROUTES}"
    errors.explain(app, routes)
    return app


def _loaded(model: Model) -> Predictor:
    predictor = model.predictor
    if predictor is None:
        message = "The model is still being loaded; try again in a second."
        raise RefusedError(503, "loading", message, {"Retry-After": "1"})
    return predictor
