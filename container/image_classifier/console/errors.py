"""Every failure of a request as a page: what happened, and what to do."""

import logging

from flask import Flask, render_template
from werkzeug.exceptions import HTTPException

from image_classifier.console.rejection import RejectedError
from image_classifier.contract.errors import DISK_IS_FULL, ExplainedError, PlatformError

_LOG = logging.getLogger(__name__)
_REMEDIES = {
    400: "Go back and repeat the step.",
    404: "Choose a page in the navigation.",
    405: "Go back and use the page's own buttons.",
    413: "Give the folder's path instead of uploading it.",
}


def register(app: Flask) -> None:
    """Show rejections, explained errors, HTTP errors and failures of the disk as pages."""

    @app.errorhandler(RejectedError)
    def rejected(error: RejectedError) -> tuple[str, int]:
        return _page(error.status, error.title, error.reason, error.remedy)

    @app.errorhandler(ExplainedError)
    def explained(error: ExplainedError) -> tuple[str, int]:
        status = 503 if isinstance(error, PlatformError) else 400
        return _page(status, "This did not work", str(error), "")

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> tuple[str, int]:
        code = error.code or 500
        return _page(code, error.name, error.description or "", _REMEDIES.get(code, _REMEDIES[400]))

    @app.errorhandler(OSError)
    def disk(error: OSError) -> tuple[str, int]:
        if error.errno in DISK_IS_FULL:
            reason = f"The disk of {error.filename or 'the console'} is full, so nothing was changed."
            return _page(507, "The disk is full", reason, "Free some space there and repeat the step.")
        return unexpected(error)

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> tuple[str, int]:
        _LOG.exception("A page failed.", exc_info=error)
        reason = f"{type(error).__name__}: {error}"
        return _page(500, "This page failed", reason, "The console's log has the details. Jobs keep running.")


def _page(status: int, title: str, reason: str, remedy: str) -> tuple[str, int]:
    return render_template("error.html.j2", status=status, title=title, reason=reason, remedy=remedy), status
