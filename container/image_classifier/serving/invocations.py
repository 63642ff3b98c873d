"""The story of a request: body and Content-Type -> images -> predictions -> Accept -> body."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from flask import Response, request

from image_classifier.contract.errors import PlatformError
from image_classifier.imaging import ImageRejected
from image_classifier.inference.prediction import Prediction
from image_classifier.inference.predictor import Predictor
from image_classifier.serving.connections.admission import Admission, Slot
from image_classifier.serving.connections.request_work import DEADLINE, RequestWork, SharedWork, released
from image_classifier.serving.formats import body, codecs, content_encoding, json_lines, response_formats
from image_classifier.serving.formats.codecs import Images
from image_classifier.serving.formats.response_files import AnswerFiles
from image_classifier.serving.monitoring import measurement
from image_classifier.serving.monitoring.measurement import QUEUE, Measurement
from image_classifier.serving.rejection import RejectedError
from image_classifier.serving.settings import Settings

LINES_TIMES = 10
"""How much more time a body of lines has: batch transform waits for 600 s, real-time inference for 60 s."""
log = logging.getLogger("image_classifier.serving")


class Invocations:
    """Answers the images of a request, with whichever model; all models of a process share its places."""

    def __init__(self, settings: Settings, admission: Admission):
        self._settings, self._admission = settings, admission
        self._shared = SharedWork(settings.work_limits)
        self._files = AnswerFiles(settings.answer_file_bytes)

    def answer(self, predictor: Predictor) -> Response:
        """Answer the request that is being served.

        Raises:
            RejectedError: It cannot be answered; status, code and message say why.
        """
        form = response_formats.negotiate(request.headers.get("Accept"), self._settings.default_form)
        concurrency, measured = predictor.engine.concurrency, measurement.current()
        with self._admission.place() as place:

            def begin(times: int = 1) -> RequestWork:
                return RequestWork(self._shared, concurrency, lambda: _turn(place, concurrency, measured), times)

            content = body.read(self._settings.max_body_bytes)
            measured.bytes_in = len(content)
            with released(begin()) as work:
                # Within a permit, so that what bodies unpack to is in memory only as often as there are permits; the
                # first images are decoded within the same one.
                work.acquire()
                encoding = request.headers.get("Content-Encoding")
                content = content_encoding.decoded(encoding, content, self._settings.max_body_bytes)
                asked = codecs.decode(request.headers.get("Content-Type"), content)
                if isinstance(asked, Images):
                    del content
                    predictions = _predict(predictor, asked, measured, work)
            if isinstance(asked, Images):
                # After the turn: a thousand numbers take their time to write, which the next one need not wait for.
                return Response(codecs.encode(predictions, asked.many, form, asked.key), mimetype=form.media_type)
            return json_lines.answer(asked, form, _of_lines(predictor, begin(LINES_TIMES), measured), self._files)


@contextmanager
def _turn(place: Slot, concurrency: int, measured: Measurement) -> Iterator[None]:
    began = time.perf_counter()
    with place.turn(concurrency):
        measured.add(QUEUE, time.perf_counter() - began)
        yield


def _predict(predictor: Predictor, images: Images, measured: Measurement, work: RequestWork) -> list[Prediction]:
    if images.note:
        log.info("%s.", images.note)
    measured.images = len(images.images)
    try:
        return predictor.predict(images.images, measured.add, work)
    except ImageRejected as error:
        status = 413 if error.code == "too_many_pixels" else 400
        raise RejectedError(status, error.code, str(error)) from error
    except PlatformError as error:
        raise _no_memory(error) from error


def _of_lines(predictor: Predictor, work: RequestWork, measured: Measurement) -> json_lines.Classify:
    """Return what classifies a batch of lines: a permit for each step, so that a long list lets others through."""

    def classify(images: Sequence[bytes]) -> list[json_lines.Outcome]:
        measured.images += len(images)
        try:
            with released(work):
                return [*predictor.predict_each(images, measured.add, work)]
        except PlatformError as error:
            raise _no_memory(error) from error
        except RejectedError as rejection:
            if rejection.code != DEADLINE:
                raise
            return [rejection] * len(images)

    return classify


def _no_memory(error: PlatformError) -> RejectedError:
    return RejectedError(503, "no_memory", str(error), {"Retry-After": "1"})
