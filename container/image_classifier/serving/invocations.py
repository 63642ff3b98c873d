"""The story of a request: body and Content-Type -> pictures -> predictions -> Accept -> body."""

import logging
from collections.abc import Sequence

from flask import Response, request

from image_classifier.imaging import ImageRejected
from image_classifier.inference.prediction import Prediction
from image_classifier.inference.predictor import Predictor
from image_classifier.serving import body, codecs, json_lines
from image_classifier.serving.admission import Admission
from image_classifier.serving.json_bodies import Lines
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
        form = codecs.negotiate(request.headers.get("Accept"), self._settings.default_form)
        with self._admission.place():
            content = body.read(self._settings.max_body_bytes)
            pictures = codecs.decode(request.headers.get("Content-Type"), content)
            if isinstance(pictures, Lines):
                return json_lines.answer(pictures, form, predictor.predict_each)
            if pictures.note:
                log.info("%s.", pictures.note)
            predictions = _predict(predictor, pictures.images)
        return Response(codecs.encode(predictions, pictures.many, form), mimetype=form.media_type)


def _predict(predictor: Predictor, images: Sequence[bytes]) -> list[Prediction]:
    try:
        return predictor.predict(images)
    except ImageRejected as error:
        status = 413 if error.code == "too_many_pixels" else 400
        raise RefusedError(status, error.code, str(error)) from error
