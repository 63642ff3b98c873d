"""Answer a body of lines by a line each, in order; where an image cannot be answered stands why."""

from collections.abc import Callable, Sequence

from flask import Response

from image_classifier.imaging import ImageRejected
from image_classifier.inference.decode_work import BATCH
from image_classifier.inference.prediction import Prediction
from image_classifier.serving.formats import codecs
from image_classifier.serving.formats.json_bodies import Lines
from image_classifier.serving.formats.response_files import AnswerFiles, LongAnswer
from image_classifier.serving.formats.response_formats import JSON_LINES, ResponseFormat
from image_classifier.serving.rejection import RejectedError

Outcome = Prediction | ImageRejected | RejectedError
Classify = Callable[[Sequence[bytes]], list[Outcome]]


def answer(lines: Lines, form: ResponseFormat, classify: Classify, files: AnswerFiles) -> Response:
    """Answer the images of a body; `classify` gets up to `BATCH` of them at a time, `files` hold a long answer.

    The whole answer is made before its first byte is sent, so that the status is true: a failure inside the server is
    never a 200 that ends early.

    Raises:
        RejectedError: Not one of the lines is as it should be, and the message is that of the first; or there is no
            space for the answer.
    """
    answers = LongAnswer(files)
    try:
        if not _write(answers, lines, form, classify):
            raise _unlike(lines)
    except BaseException:
        answers.close()
        raise
    headers = {"Content-Length": str(len(answers))}
    # Passed through, nothing on the way reads the file into memory.
    return Response(answers, mimetype=JSON_LINES, headers=headers, direct_passthrough=True)


def _write(answers: LongAnswer, lines: Lines, form: ResponseFormat, classify: Classify) -> int:
    """Write a line for each image; returns how many lines were as they should be."""
    understood = 0
    for start in range(0, len(lines), BATCH):
        batch = [_image(lines, index) for index in range(start, min(start + BATCH, len(lines)))]
        images = [entry for entry in batch if isinstance(entry, bytes)]
        found = iter(classify(images) if images else [])
        outcomes = [next(found) if isinstance(entry, bytes) else entry for entry in batch]
        for outcome in outcomes:
            answers.write(codecs.line(outcome, form))
        understood += len(images)
    return understood


def _unlike(lines: Lines) -> RejectedError:
    first = _image(lines, 0)
    assert isinstance(first, RejectedError)
    return RejectedError(
        first.status, first.code, f"Line 1 of {len(lines)}, none of which can be used: {first.message}"
    )


def _image(lines: Lines, index: int) -> bytes | RejectedError:
    try:
        return lines.image(index)
    except RejectedError as rejection:
        return rejection
