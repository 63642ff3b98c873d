"""Answer every error in JSON with a reason, never with HTML or a traceback."""

import logging

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from image_classifier.serving.monitoring import measurement
from image_classifier.serving.rejection import RejectedError, internal_error

log = logging.getLogger("image_classifier.serving")


class TypedResponse(Response):
    """A response without Content-Type unless it is given: by default an empty one would be HTML."""

    default_mimetype = None


def register_error_handlers(app: Flask, routes: str) -> None:
    """Register the error handlers of an application; `routes` is the sentence that lists its routes."""
    # By default a path with two slashes is redirected, in HTML, to whatever host the client put into its request.
    app.url_map.merge_slashes = False
    app.url_map.redirect_defaults = False

    @app.errorhandler(RejectedError)
    def rejected(rejection: RejectedError) -> Response:
        measurement.current().error = rejection.code
        return Response(rejection.body, rejection.status, dict(rejection.headers), mimetype="application/json")

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        code = error.name.lower().replace(" ", "_")
        allow = {name: value for name, value in error.get_headers() if name == "Allow"}
        message = f"{error.name}: {request.method} {request.path[:200]}. {routes}"
        return rejected(RejectedError(error.code or 500, code, message, allow))

    @app.errorhandler(Exception)
    def unforeseen(error: Exception) -> Response:
        log.error("%s %s failed.", request.method, request.path, exc_info=error)
        return rejected(internal_error())
