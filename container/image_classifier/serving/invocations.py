"""The story of a request: body and Content-Type -> pictures -> predictions -> Accept -> body."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from flask import Response, request

from image_classifier.imaging import ImageRejected
from image_classifier.inference.prediction import Prediction
from image_classifier.inference.predictor import Predictor
from image_classifier.serving.connections.admission import Admission, Place
from image_classifier.serving.formats import answer_forms, body, codecs, json_lines
from image_classifier.serving.formats.codecs import Pictures
from image_classifier.serving.monitoring import measurement
from image_classifier.serving.monitoring.measurement import QUEUE, Measurement
from image_classifier.serving.refusal import RefusedError
from image_classifier.serving.settings import Settings

log = logging.getLogger("image_classifier.serving")


class Invocations:
    """Answers the pictures of a request, with whichever model; all models of a process share its places."""

    def __init__(self, settings: Settings, admission: Admission):
        self._settings, self._admission = settings, admission

    def answer(self, predictor: Predictor) -> Response:
        """Answer the request that is being served.

        Raises:
            RefusedError: It cannot be answered; status, code and message say why.
        """
        form = answer_forms.negotiate(request.headers.get("Accept"), self._settings.default_form)
        concurrency, measured = predictor.engine.concurrency, measurement.current()
        with self._admission.place() as place:
            content = body.read(self._settings.max_body_bytes)
            measured.bytes_in = len(content)
            with _turn(place, concurrency, measured):
                # Within the turn, so that what bodies unpack to is in memory only as often as there are turns.
                asked = codecs.decode(request.headers.get("Content-Type"), content)
                if isinstance(asked, Pictures):
                    predictions = _predict(predictor, asked, measured)
            if isinstance(asked, Pictures):
                # After the turn: a thousand numbers take their time to write, which the next one need not wait for.
                return Response(codecs.encode(predictions, asked.many, form), mimetype=form.media_type)

            def classify(images: Sequence[bytes]) -> list[Prediction | ImageRejected]:
                # A turn for each batch, so that a long list lets others through.
                measured.pictures += len(images)
                with _turn(place, concurrency, measured):
                    return predictor.predict_each(images, measured.add)

            return json_lines.answer(asked, form, classify)


@contextmanager
def _turn(place: Place, concurrency: int, measured: Measurement) -> Iterator[None]:
    began = time.perf_counter()
    with place.turn(concurrency):
        measured.add(QUEUE, time.perf_counter() - began)
        yield


def _predict(predictor: Predictor, pictures: Pictures, measured: Measurement) -> list[Prediction]:
    if pictures.note:
        log.info("%s.", pictures.note)
    measured.pictures = len(pictures.images)
    try:
        return predictor.predict(pictures.images, measured.add)
    except ImageRejected as error:
        status = 413 if error.code == "too_many_pixels" else 400
        raise RefusedError(status, error.code, str(error)) from error
