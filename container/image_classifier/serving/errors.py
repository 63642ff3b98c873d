"""Answer every error in JSON with a reason, never with HTML or a trace."""

import logging

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from image_classifier.serving.monitoring import measurement
from image_classifier.serving.rejection import RejectedError

log = logging.getLogger("image_classifier.serving")


def explain(app: Flask, routes: str) -> None:
    """Make the application answer errors so; `routes` is the sentence about what it does answer."""
    # Else a path with two slashes is answered by a redirect in HTML, to whatever host its client claims to have asked.
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
    def failed(error: Exception) -> Response:
        log.error("%s %s failed.", request.method, request.path, exc_info=error)
        message = "The request failed inside the server; its log says more."
        return rejected(RejectedError(500, "internal_error", message))
