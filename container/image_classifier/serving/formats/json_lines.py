"""Answer a body of lines by a line each, in order; where a picture cannot be answered stands why."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import IO

from flask import Response

from image_classifier.imaging import ImageRejected
from image_classifier.inference.decode_work import BATCH
from image_classifier.inference.prediction import Prediction
from image_classifier.serving.formats import codecs
from image_classifier.serving.formats.answer_forms import JSON_LINES, AnswerForm
from image_classifier.serving.formats.json_bodies import Lines
from image_classifier.serving.refusal import RefusedError

IN_MEMORY = 8 * 1024 * 1024
"""Bytes of an answer; what is longer is written into a file. Ten thousand pictures of 1,000 classes are 200 MB."""
Outcome = Prediction | ImageRejected | RefusedError
Classify = Callable[[Sequence[bytes]], list[Outcome]]


def answer(lines: Lines, form: AnswerForm, classify: Classify) -> Response:
    """Answer the pictures of a body; `classify` gets up to `BATCH` of them at a time.

    The whole answer is made before its first byte is sent, so that the status is true: a failure inside the server is
    never a 200 that ends early.

    Raises:
        RefusedError: Not one of the lines is as it should be; the message is that of the first.
    """
    with contextlib.ExitStack() as kept:
        answers = kept.enter_context(tempfile.SpooledTemporaryFile(IN_MEMORY))
        if not _write(answers, lines, form, classify):
            raise _unlike(lines)
        headers = {"Content-Length": str(answers.tell())}
        answers.seek(0)
        # Passed through, nothing on the way reads the file into memory.
        sent = _sent(answers, kept.pop_all())
        return Response(sent, mimetype=JSON_LINES, headers=headers, direct_passthrough=True)


def _sent(answers: IO[bytes], kept: contextlib.ExitStack) -> Iterator[bytes]:
    with kept:
        yield from answers


def _write(answers: IO[bytes], lines: Lines, form: AnswerForm, classify: Classify) -> int:
    """Write a line for each picture; returns how many lines were as they should be."""
    understood = 0
    for start in range(0, len(lines), BATCH):
        batch = [_picture(lines, index) for index in range(start, min(start + BATCH, len(lines)))]
        pictures = [entry for entry in batch if isinstance(entry, bytes)]
        found = iter(classify(pictures) if pictures else [])
        outcomes = [next(found) if isinstance(entry, bytes) else entry for entry in batch]
        answers.writelines(codecs.line(outcome, form) for outcome in outcomes)
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
