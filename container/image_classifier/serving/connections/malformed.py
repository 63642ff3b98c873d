"""What the sender of something that is no HTTP is told."""

from gunicorn.http import errors

from image_classifier.serving.refusal import RefusedError, body_incomplete

_STATUS = {errors.UnsupportedTransferCoding: 501, errors.ExpectationFailed: 417, errors.LimitRequestHeaders: 431}


def malformed(error: Exception) -> RefusedError:
    """Return the refusal for one of gunicorn's errors about a header, or about the chunks of a body, or for our own."""
    if isinstance(error, RefusedError):
        return error
    if not isinstance(error, errors.ParseException):
        return body_incomplete()
    message = f"This is not HTTP as it should be: {error}"[:300]
    return RefusedError(_STATUS.get(type(error), 400), "malformed_request", message)
