"""Decode request bodies to images, and encode predictions as response bodies: pure functions and a table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from numpy.typing import NDArray

from image_classifier import artifacts, imaging
from image_classifier.contract.payload_types import IMAGE_TYPES, JSON, JSON_LINES
from image_classifier.imaging import ImageRejected
from image_classifier.inference.prediction import Prediction
from image_classifier.serving.formats import json_bodies, media_types, mistaken_bodies
from image_classifier.serving.formats.json_bodies import Lines
from image_classifier.serving.formats.response_formats import ResponseFormat
from image_classifier.serving.rejection import RejectedError

if TYPE_CHECKING:
    from image_classifier.evaluation.occlusion import OcclusionMap

_DECIMALS = 4
"""Of the numbers of an explanation."""


@dataclass(frozen=True)
class Images:
    """The images of a request."""

    images: tuple[bytes, ...]
    is_list: bool = False
    """Whether they came in a list, so that the response is a list too, even of one."""
    note: str | None = None
    """A tolerated irregularity, for the log."""
    key: str = "predictions"
    """Key of the list in the response."""


def one_image(body: bytes) -> Images:
    """Take the body as the bytes of one image.

    Raises:
        RejectedError: It is recognisably something else, or a text conversion changed it (400).
    """
    mistaken_bodies.reject_unless_image(body)
    mistaken_bodies.reject_mangled(body)
    return Images((body,))


def instances(body: bytes) -> Images:
    """Take the body as a list of images, see `json_bodies.instances`."""
    listed = json_bodies.instances(body)
    return Images(listed.images, is_list=True, key=listed.key)


DECODERS: Mapping[str, Callable[[bytes], Images | Lines]] = {
    **dict.fromkeys(IMAGE_TYPES, one_image),
    "image/*": one_image,
    "application/octet-stream": one_image,
    JSON: instances,
    JSON_LINES: json_bodies.lines,
}
"""Decoder by Content-Type. The format of a single image is detected from its first bytes, whatever its Content-Type."""


def decode(content_type: str | None, body: bytes) -> Images | Lines:
    """Decode a body to images, or to lines that are decoded later.

    A body that starts like an image is accepted under any Content-Type, with a note.

    Raises:
        RejectedError: The body is empty (400), its type is not supported (415), or its JSON is invalid (400).
    """
    if not body:
        raise RejectedError(400, "empty", "The body is empty. Send the bytes of an image.")
    media_type = media_types.parse(content_type or "").name
    decoder = DECODERS.get(media_type)
    if decoder is one_image:
        return one_image(body)
    mistaken_bodies.reject_form(media_type, body)
    if image_format := imaging.sniff(body):
        mistaken_bodies.reject_mangled(body)
        return Images((body,), note=f"Content-Type is {content_type!r}, but the body is {image_format}; accepted")
    if decoder is None:
        accepted = ", ".join(name for name in DECODERS if "*" not in name)
        subject = f"Content-Type {content_type!r}" if content_type else "A missing Content-Type"
        message = f"{subject} is not supported for this body. Supported: {accepted}."
        raise RejectedError(415, "unsupported_media_type", message)
    return decoder(body)


def response_fields(prediction: Prediction, response_format: ResponseFormat) -> dict[str, Any]:
    """Return the fields for one image, in this order.

    probabilities, labels, predicted_label, embedding, familiarity, explanation. The label is None if no class reaches
    the threshold.

    Raises:
        RejectedError: The embedding or the familiarity is requested, but the model has none (406).
    """
    shown = prediction if response_format.threshold is None else prediction.at_least(response_format.threshold)
    shown = shown if response_format.count is None else shown.most_probable(response_format.count)
    fields: dict[str, Any] = {"probabilities": shown.probabilities}
    if response_format.verbose:
        label = prediction.predicted_label if shown.labels else None
        fields |= {"labels": shown.labels, "predicted_label": label}
    if response_format.embedding:
        fields["embedding"] = _embedding(prediction)
    if response_format.familiarity:
        fields["familiarity"] = _familiarity(prediction)
    if prediction.explanation is not None:
        fields["explanation"] = _explanation(prediction.labels, prediction.explanation)
    return fields


def _embedding(prediction: Prediction) -> NDArray[np.float32]:
    if prediction.features is None:
        message = (
            "Accept requests the embedding, but this model has no feature output. Run scripts/convert-model on a model "
            "trained by this program, fine-tune any other model, or leave ;embedding out."
        )
        raise RejectedError(406, "no_embedding", message)
    return prediction.features


def _familiarity(prediction: Prediction) -> float:
    if prediction.familiarity is None:
        message = (
            f"Accept requests the familiarity (;ood), but this model has no {artifacts.FAMILIARITY_FILE} or no feature "
            "output. Train it with report=True and train_only_top_layer=True, or leave ;ood out."
        )
        raise RejectedError(406, "no_familiarity", message)
    return prediction.familiarity


def _explanation(labels: Sequence[str], found: "OcclusionMap") -> dict[str, Any]:
    return {
        "label": labels[found.class_index],
        "probability": round(float(found.probability), _DECIMALS),
        "reliable": bool(found.reliable),
        "drop_top": round(float(found.drop_top), _DECIMALS),
        "drop_random": round(float(found.drop_random), _DECIMALS),
        "drops": np.round(found.drops.astype(np.float64), _DECIMALS),
    }


def encode(
    predictions: Sequence[Prediction], is_list: bool, response_format: ResponseFormat, key: str = "predictions"
) -> bytes:
    """Encode a response as JSON: an object for one image, `{"predictions": [...]}` for a list, or lines.

    In the plain format the entries of a list are bare lists of probabilities, as in TensorFlow Serving.
    """
    if response_format.lines:
        return b"".join(line(prediction, response_format) for prediction in predictions)
    entries = [response_fields(prediction, response_format) for prediction in predictions]
    if not is_list:
        return _json(entries[0])
    return _json({key: [entry["probabilities"] if response_format.is_plain else entry for entry in entries]})


def line(outcome: Prediction | RejectedError | ImageRejected, response_format: ResponseFormat) -> bytes:
    """Encode the fields of an image, or its `error` and `message`, as a line of JSON."""
    if isinstance(outcome, Prediction):
        return _json(response_fields(outcome, response_format)) + b"\n"
    return _json({"error": outcome.code, "message": str(outcome)}) + b"\n"


def _json(content: object) -> bytes:
    # float32 as the shortest decimals that round-trip: 0.1, not 0.10000000149011612.
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
