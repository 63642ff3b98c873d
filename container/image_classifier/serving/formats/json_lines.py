"""Answer a body of lines with one line per image, in order; an image that fails gets its error."""

from collections.abc import Callable, Sequence

from flask import Response

from image_classifier.contract.payload_types import JSON_LINES
from image_classifier.imaging import ImageRejected
from image_classifier.inference.decode_work import BATCH
from image_classifier.inference.prediction import Prediction
from image_classifier.serving.formats import codecs
from image_classifier.serving.formats.json_bodies import Lines
from image_classifier.serving.formats.response_files import ResponseFiles, SpooledResponse
from image_classifier.serving.formats.response_formats import ResponseFormat
from image_classifier.serving.rejection import RejectedError

Outcome = Prediction | ImageRejected | RejectedError
Classify = Callable[[Sequence[bytes]], list[Outcome]]


def respond(lines: Lines, response_format: ResponseFormat, classify: Classify, files: ResponseFiles) -> Response:
    """Classify the images of a body; `classify` gets up to `BATCH` at a time, `files` hold a long response.

    The response is complete before its first byte is sent, so that the status is correct: a failure inside the server
    is never a truncated 200.

    Raises:
        RejectedError: Not a single line is valid, with the message of the first one; or there is no space for the
            response.
    """
    content = SpooledResponse(files)
    try:
        if not _write(content, lines, response_format, classify):
            raise _no_valid_line(lines)
    except BaseException:
        content.close()
        raise
    headers = {"Content-Length": str(len(content))}
    # direct_passthrough: Flask and Werkzeug do not read the file into memory.
    return Response(content, mimetype=JSON_LINES, headers=headers, direct_passthrough=True)


def _write(content: SpooledResponse, lines: Lines, response_format: ResponseFormat, classify: Classify) -> int:
    """Write a line for each image; return how many input lines were valid."""
    valid = 0
    for start in range(0, len(lines), BATCH):
        batch = [_image(lines, index) for index in range(start, min(start + BATCH, len(lines)))]
        images = [entry for entry in batch if isinstance(entry, bytes)]
        classified = iter(classify(images) if images else [])
        outcomes = [next(classified) if isinstance(entry, bytes) else entry for entry in batch]
        for outcome in outcomes:
            content.write(codecs.line(outcome, response_format))
        valid += len(images)
    return valid


def _no_valid_line(lines: Lines) -> RejectedError:
    first = _image(lines, 0)
    assert isinstance(first, RejectedError)
    return RejectedError(first.status, first.code, f"Line 1 of {len(lines)}, none of which is valid: {first.message}")


def _image(lines: Lines, index: int) -> bytes | RejectedError:
    try:
        return lines.image(index)
    except RejectedError as rejection:
        return rejection
