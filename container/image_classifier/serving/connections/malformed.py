"""What the sender of something that is no HTTP is told."""

from gunicorn.http import errors

from image_classifier.serving.rejection import RejectedError, body_incomplete

_STATUS = {errors.UnsupportedTransferCoding: 501, errors.ExpectationFailed: 417, errors.LimitRequestHeaders: 431}


def malformed(error: Exception) -> RejectedError:
    """Return the rejection for gunicorn's errors about a header or the chunks of a body, or for our own."""
    if isinstance(error, RejectedError):
        return error
    if not isinstance(error, errors.ParseException):
        return body_incomplete()
    message = f"This is not HTTP as it should be: {error}"[:300]
    return RejectedError(_STATUS.get(type(error), 400), "malformed_request", message)
