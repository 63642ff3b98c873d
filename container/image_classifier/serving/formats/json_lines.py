"""Answer a body of lines by a line each, in order; where a picture cannot be answered stands why."""

from collections.abc import Callable, Sequence

from flask import Response

from image_classifier.imaging import ImageRejected
from image_classifier.inference.decode_work import BATCH
from image_classifier.inference.prediction import Prediction
from image_classifier.serving.formats import codecs
from image_classifier.serving.formats.answer_files import AnswerFiles, LongAnswer
from image_classifier.serving.formats.answer_forms import JSON_LINES, AnswerForm
from image_classifier.serving.formats.json_bodies import Lines
from image_classifier.serving.refusal import RefusedError

Outcome = Prediction | ImageRejected | RefusedError
Classify = Callable[[Sequence[bytes]], list[Outcome]]


def answer(lines: Lines, form: AnswerForm, classify: Classify, files: AnswerFiles) -> Response:
    """Answer the pictures of a body; `classify` gets up to `BATCH` of them at a time, `files` hold a long answer.

    The whole answer is made before its first byte is sent, so that the status is true: a failure inside the server is
    never a 200 that ends early.

    Raises:
        RefusedError: Not one of the lines is as it should be, and the message is that of the first; or there is no
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


def _write(answers: LongAnswer, lines: Lines, form: AnswerForm, classify: Classify) -> int:
    """Write a line for each picture; returns how many lines were as they should be."""
    understood = 0
    for start in range(0, len(lines), BATCH):
        batch = [_picture(lines, index) for index in range(start, min(start + BATCH, len(lines)))]
        pictures = [entry for entry in batch if isinstance(entry, bytes)]
        found = iter(classify(pictures) if pictures else [])
        outcomes = [next(found) if isinstance(entry, bytes) else entry for entry in batch]
        for outcome in outcomes:
            answers.write(codecs.line(outcome, form))
        understood += len(pictures)
    return understood


def _unlike(lines: Lines) -> RefusedError:
    first = _picture(lines, 0)
    assert isinstance(first, RefusedError)
    return RefusedError(first.status, first.code, f"Line 1 of {len(lines)}, none of which can be used: {first.message}")


def _picture(lines: Lines, index: int) -> bytes | RefusedError:
    try:
        return lines.picture(index)
    except RefusedError as refusal:
        return refusal
