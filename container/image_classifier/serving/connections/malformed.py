"""The rejection of bytes that are not valid HTTP."""

from image_classifier.serving.connections.gunicorn_internals import parse_errors
from image_classifier.serving.rejection import RejectedError, body_incomplete

_STATUS = {
    parse_errors.UnsupportedTransferCoding: 501,
    parse_errors.ExpectationFailed: 417,
    parse_errors.LimitRequestHeaders: 431,
}


def malformed(error: Exception) -> RejectedError:
    """Return the rejection for an error of the parser, of the chunks of a body, or for our own."""
    if isinstance(error, RejectedError):
        return error
    if not isinstance(error, parse_errors.ParseException):
        return body_incomplete()
    reason = str(error)[:250].rstrip(".")
    message = f"This is not valid HTTP: {reason}. Send a request as RFC 9112 defines it."
    return RejectedError(_STATUS.get(type(error), 400), "malformed_request", message)
