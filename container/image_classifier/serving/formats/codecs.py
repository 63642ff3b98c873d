"""From a request's body to images, and from predictions to an answer's body: pure functions in two tables."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from image_classifier import imaging
from image_classifier.imaging import ImageRejected
from image_classifier.inference.prediction import Prediction
from image_classifier.serving.formats import json_bodies, media_types, mistaken_bodies
from image_classifier.serving.formats.json_bodies import Lines
from image_classifier.serving.formats.response_formats import JSON, JSON_LINES, ResponseFormat
from image_classifier.serving.rejection import RejectedError


@dataclass(frozen=True)
class Images:
    """What a request brought."""

    images: tuple[bytes, ...]
    many: bool = False
    """Whether they came in a list, so that the answer is a list too, even of one."""
    note: str | None = None
    """What was tolerated."""
    key: str = "predictions"
    """Under which the answers to a list stand."""


def one_image(body: bytes) -> Images:
    """Take the body as the bytes of one image.

    Raises:
        RejectedError: It is something else that can be told, or was changed by a text conversion (400).
    """
    mistaken_bodies.reject_unless_image(body)
    mistaken_bodies.reject_mangled(body)
    return Images((body,))


def instances(body: bytes) -> Images:
    """Take the body as a list of images, see `json_bodies.instances`."""
    listed = json_bodies.instances(body)
    return Images(listed.images, many=True, key=listed.key)


DECODERS: Mapping[str, Callable[[bytes], Images | Lines]] = {
    "application/x-image": one_image,
    "image/jpeg": one_image,
    "image/png": one_image,
    "image/webp": one_image,
    "image/bmp": one_image,
    "image/gif": one_image,
    "image/*": one_image,
    "application/octet-stream": one_image,
    JSON: instances,
    JSON_LINES: json_bodies.lines,
}
"""Content-Type to what the body means. What a single image is its own first bytes decide, whatever was said."""


def decode(content_type: str | None, body: bytes) -> Images | Lines:
    """Turn a body into images, or into lines that are yet to be.

    A body that is an image by its first bytes is taken as one under any Content-Type, with a note.

    Raises:
        RejectedError: The body is empty (400), the type is not accepted (415), or the JSON is not as it should be.
    """
    if not body:
        raise RejectedError(400, "empty", "The body is empty; send the bytes of an image.")
    media_type = media_types.parse(content_type or "").name
    decoder = DECODERS.get(media_type)
    if decoder is one_image:
        return one_image(body)
    mistaken_bodies.reject_form(media_type, body)
    if image_format := imaging.sniff(body):
        mistaken_bodies.reject_mangled(body)
        return Images((body,), note=f"Content-Type is {content_type!r}, but the body is {image_format}: answered")
    if decoder is None:
        accepted = ", ".join(name for name in DECODERS if "*" not in name)
        given = f"Content-Type {content_type!r} is" if content_type else "A missing Content-Type is"
        raise RejectedError(415, "unsupported_media_type", f"{given} not accepted for this body. Accepted: {accepted}.")
    return decoder(body)


def answer(prediction: Prediction, form: ResponseFormat) -> dict[str, Any]:
    """Return what is said of an image, in this order: probabilities, labels, predicted_label, embedding.

    The label is None when no class is as probable as `form.threshold`.

    Raises:
        RejectedError: The embedding is wanted, and the model has none (406).
    """
    shown = prediction if form.threshold is None else prediction.at_least(form.threshold)
    shown = shown if form.count is None else shown.most_probable(form.count)
    found: dict[str, Any] = {"probabilities": shown.probabilities}
    if form.verbose:
        label = prediction.predicted_label if shown.labels else None
        found |= {"labels": shown.labels, "predicted_label": label}
    if form.embedding:
        found["embedding"] = _embedding(prediction)
    return found


def _embedding(prediction: Prediction) -> NDArray[np.float32]:
    found = prediction.features
    if found is None:
        message = (
            "Accept asks for the embedding, and this model answers no features. A model that was trained by this "
            "program gets them by scripts/convert-model, any other by being trained further. Or leave ;embedding out."
        )
        raise RejectedError(406, "no_embedding", message)
    return found


def encode(predictions: Sequence[Prediction], many: bool, form: ResponseFormat, key: str = "predictions") -> bytes:
    """Write an answer as JSON: an object for an image; for a list `{"predictions": [...]}`, one entry each; or lines.

    The entries of a list in the plain form are bare lists of probabilities, as TensorFlow Serving answers.
    """
    if form.lines:
        return b"".join(line(prediction, form) for prediction in predictions)
    answers = [answer(prediction, form) for prediction in predictions]
    if not many:
        return _json(answers[0])
    bare = not (form.verbose or form.embedding)
    return _json({key: [entry["probabilities"] if bare else entry for entry in answers]})


def line(outcome: Prediction | RejectedError | ImageRejected, form: ResponseFormat) -> bytes:
    """Write what is said of an image, or why nothing is (`error` and `message`), as a line of JSON."""
    said = (
        answer(outcome, form) if isinstance(outcome, Prediction) else {"error": outcome.code, "message": str(outcome)}
    )
    return _json(said) + b"\n"


def _json(found: object) -> bytes:
    # float32 as the shortest decimals that read back as the same numbers: 0.1, not 0.10000000149011612.
    return orjson.dumps(found, option=orjson.OPT_SERIALIZE_NUMPY)
