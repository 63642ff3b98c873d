"""The path of a request: body and Content-Type -> images -> predictions -> Accept -> response body."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from flask import Response, request

from image_classifier.contract.errors import PlatformError
from image_classifier.contract.serving_variables import EXPLAIN
from image_classifier.imaging import ImageRejected
from image_classifier.inference.prediction import Prediction
from image_classifier.inference.predictor import Predictor
from image_classifier.serving.connections.admission import Admission, Slot
from image_classifier.serving.connections.request_work import DEADLINE, RequestWork, WorkBudgets, releasing
from image_classifier.serving.formats import body, codecs, content_encoding, json_lines, response_formats
from image_classifier.serving.formats.codecs import Images
from image_classifier.serving.formats.json_bodies import Lines
from image_classifier.serving.formats.response_files import ResponseFiles
from image_classifier.serving.formats.response_formats import ResponseFormat
from image_classifier.serving.monitoring import measurement
from image_classifier.serving.monitoring.measurement import QUEUE, RequestMeasurement
from image_classifier.serving.rejection import RejectedError
from image_classifier.serving.settings import ServingSettings

LINES_DEADLINE_FACTOR = 10
"""For bodies of lines: batch transform waits for 600 s, real-time inference for 60 s."""
log = logging.getLogger("image_classifier.serving")


class Invocations:
    """Classifies the images of requests, with any model; all models of a process share its slots."""

    def __init__(self, settings: ServingSettings, admission: Admission):
        self._settings, self._admission = settings, admission
        self._budgets = WorkBudgets(settings.work_limits)
        self._files = ResponseFiles(settings.response_file_bytes)

    def handle(self, predictor: Predictor) -> Response:
        """Handle Flask's current request.

        Raises:
            RejectedError: The request is rejected; status, code and message say why.
        """
        response_format = response_formats.negotiate(request.headers.get("Accept"), self._settings.default_format)
        if response_format.explanation and not self._settings.explain:
            raise _explanations_are_off()
        concurrency, measured = predictor.engine.concurrency, measurement.current()
        with self._admission.slot() as slot:

            def begin(deadline_factor: int = 1) -> RequestWork:
                def permit() -> AbstractContextManager[None]:
                    return _measured_permit(slot, concurrency, measured)

                return RequestWork(self._budgets, concurrency, permit, deadline_factor)

            content = body.read(self._settings.max_body_bytes)
            measured.bytes_in = len(content)
            with releasing(begin()) as work:
                # Within a permit, so that there are never more unpacked bodies in memory than permits. The first images
                # are decoded within the same permit.
                work.acquire()
                encoding = request.headers.get("Content-Encoding")
                content = content_encoding.decoded(encoding, content, self._settings.max_body_bytes)
                decoded = codecs.decode(request.headers.get("Content-Type"), content)
                if response_format.explanation:
                    _reject_unless_one(decoded)
                if isinstance(decoded, Images):
                    del content
                    predictions = _predict(predictor, decoded, response_format, measured, work)
            if isinstance(decoded, Images):
                # Without the permit: the next request need not wait while a thousand numbers are written.
                encoded = codecs.encode(predictions, decoded.is_list, response_format, decoded.key)
                return Response(encoded, mimetype=response_format.media_type)
            classify = _line_classifier(predictor, response_format, begin(LINES_DEADLINE_FACTOR), measured)
            return json_lines.respond(decoded, response_format, classify, self._files)


@contextmanager
def _measured_permit(slot: Slot, concurrency: int, measured: RequestMeasurement) -> Iterator[None]:
    began = time.perf_counter()
    with slot.permit(concurrency):
        measured.add(QUEUE, time.perf_counter() - began)
        yield


def _predict(
    predictor: Predictor,
    images: Images,
    response_format: ResponseFormat,
    measured: RequestMeasurement,
    work: RequestWork,
) -> list[Prediction]:
    if images.note:
        log.info("%s.", images.note)
    measured.images = len(images.images)
    try:
        if response_format.explanation:
            predictions = [predictor.explain(images.images[0], measured.add, work)]
        else:
            predictions = predictor.predict(images.images, measured.add, work)
    except ImageRejected as error:
        status = 413 if error.code == "too_many_pixels" else 400
        raise RejectedError(status, error.code, str(error)) from error
    except PlatformError as error:
        raise _no_memory(error) from error
    return predictor.with_familiarity(predictions) if response_format.familiarity else predictions


def _line_classifier(
    predictor: Predictor, response_format: ResponseFormat, work: RequestWork, measured: RequestMeasurement
) -> json_lines.Classify:
    """Return a classifier for batches of lines, with a permit per step, so that a long body does not block others."""

    def classify(images: Sequence[bytes]) -> list[json_lines.Outcome]:
        measured.images += len(images)
        try:
            with releasing(work):
                outcomes = predictor.predict_each(images, measured.add, work)
        except PlatformError as error:
            raise _no_memory(error) from error
        except RejectedError as rejection:
            if rejection.code != DEADLINE:
                raise
            return [rejection] * len(images)
        return [*(_with_familiarity(predictor, outcomes) if response_format.familiarity else outcomes)]

    return classify


def _with_familiarity(
    predictor: Predictor, outcomes: Sequence[Prediction | ImageRejected]
) -> list[Prediction | ImageRejected]:
    found = iter(predictor.with_familiarity([outcome for outcome in outcomes if isinstance(outcome, Prediction)]))
    return [next(found) if isinstance(outcome, Prediction) else outcome for outcome in outcomes]


def _explanations_are_off() -> RejectedError:
    message = (
        f"Accept requests an explanation, which this server does not compute. Set {EXPLAIN.name}=true, or leave "
        ";explain out."
    )
    return RejectedError(406, "explain_is_off", message)


def _reject_unless_one(decoded: Images | Lines) -> None:
    if isinstance(decoded, Images) and len(decoded.images) == 1:
        return
    count = f"{len(decoded.images)} images" if isinstance(decoded, Images) else "lines"
    message = f"An explanation is of one image, but the body holds {count}. Send one image, or leave ;explain out."
    raise RejectedError(400, "explains_one_image", message)


def _no_memory(error: PlatformError) -> RejectedError:
    return RejectedError(503, "no_memory", str(error), {"Retry-After": "1"})
