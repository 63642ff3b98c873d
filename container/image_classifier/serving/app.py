"""The story of a request: body and Content-Type -> pictures -> predictions -> Accept -> body."""

import io
import logging
from collections.abc import Sequence
from typing import Protocol

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from image_classifier.imaging import ImageRejected
from image_classifier.inference.predictor import Prediction, Predictor
from image_classifier.serving import codecs, connection
from image_classifier.serving.admission import Admission
from image_classifier.serving.refusal import RefusedError
from image_classifier.serving.settings import MEGABYTE, Settings

log = logging.getLogger("image_classifier.serving")
_ROUTES = "This server answers GET /ping and POST /invocations."
_BEFORE_THE_BODY_IS_READ = (406, 413, 503)


class Model(Protocol):
    """Where the predictor comes from."""

    @property
    def predictor(self) -> Predictor | None:
        """The predictor once it is loaded and warm, None before."""
        ...


def create_app(model: Model, settings: Settings) -> Flask:
    """Build the WSGI application with `GET /ping` and `POST /invocations`."""
    app = Flask("image_classifier", static_folder=None)
    admission = Admission(settings.in_flight)

    @app.get("/ping")
    def ping() -> Response:
        _loaded(model)
        return Response(status=200)

    @app.post("/invocations")
    def invocations() -> Response:
        predictor = _loaded(model)
        form = codecs.negotiate(request.headers.get("Accept"), settings.default_form)
        with admission.place():
            pictures = codecs.decode(request.headers.get("Content-Type"), _body(settings.max_body_bytes))
            if pictures.note:
                log.info("%s.", pictures.note)
            predictions = _predict(predictor, pictures.images)
        return Response(codecs.encode(predictions, pictures.many, form), mimetype="application/json")

    _explain_errors(app)
    return app


def _loaded(model: Model) -> Predictor:
    predictor = model.predictor
    if predictor is None:
        message = "The model is still being loaded; try again in a second."
        raise RefusedError(503, "loading", message, {"Retry-After": "1"})
    return predictor


def _body(limit: int) -> bytes:
    """Read the body, with Content-Length or chunked, and never more than `limit` bytes of it."""
    announced = request.content_length
    if announced is not None and announced > limit:
        raise _too_large(limit)
    stream, body = request.environ["wsgi.input"], io.BytesIO()
    try:
        while block := stream.read(65536):
            if body.tell() + len(block) > limit:
                raise _too_large(limit)
            body.write(block)
    except OSError as error:  # gunicorn's word for chunks that are none and for a client that is gone
        raise _incomplete() from error
    if announced is not None and body.tell() < announced:
        raise _incomplete()
    return body.getvalue()


def _too_large(limit: int) -> RefusedError:
    message = f"The body is larger than {limit // MEGABYTE} MB, the limit of this server. Send less at once."
    return RefusedError(413, "body_too_large", message)


def _incomplete() -> RefusedError:
    return RefusedError(400, "incomplete_body", "The body ended early or is badly chunked. Send it again.")


def _predict(predictor: Predictor, images: Sequence[bytes]) -> list[Prediction]:
    try:
        return predictor.predict(images)
    except ImageRejected as error:
        status = 413 if error.code == "too_many_pixels" else 400
        raise RefusedError(status, error.code, str(error)) from error


def _explain_errors(app: Flask) -> None:
    """Answer every error in JSON with a reason, never with a trace."""

    @app.errorhandler(RefusedError)
    def refused(refusal: RefusedError) -> Response:
        if refusal.status in _BEFORE_THE_BODY_IS_READ:
            connection.close_after_answer()
        return refusal.response()

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        code = error.name.lower().replace(" ", "_")
        allow = {name: value for name, value in error.get_headers() if name == "Allow"}
        message = f"{error.name}: {request.method} {request.path[:200]}. {_ROUTES}"
        return refused(RefusedError(error.code or 500, code, message, allow))

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        log.error("%s %s failed.", request.method, request.path, exc_info=error)
        message = "The request failed inside the server; its log says more."
        return refused(RefusedError(500, "internal_error", message))
