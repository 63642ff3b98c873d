"""From a request's body to pictures, and from predictions to an answer's body: pure functions in two tables."""

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from image_classifier import imaging
from image_classifier.inference.predictor import Prediction
from image_classifier.serving import media_types
from image_classifier.serving.media_types import MediaType
from image_classifier.serving.refusal import RefusedError

MAX_INSTANCES = 512
"""Pictures in one JSON request; at 100 ms each they just fit into the platform's 60 s."""


@dataclass(frozen=True)
class Pictures:
    """What a request brought."""

    images: tuple[bytes, ...]
    many: bool = False
    """Whether they came in a list, so that the answer is a list too, even of one."""
    note: str | None = None
    """What was put up with."""


@dataclass(frozen=True)
class AnswerForm:
    """What an answer shall hold."""

    verbose: bool = False
    count: int | None = None
    """How many of the most probable classes, sorted; None: all in index order."""


PLAIN = AnswerForm()


def one_picture(body: bytes) -> Pictures:
    """Take the body as the bytes of one picture."""
    return Pictures((body,))


def instances(body: bytes) -> Pictures:
    """Take the body as `{"instances": [{"b64": "..."}, ...]}`, the row format of TensorFlow Serving's REST API.

    Raises:
        RefusedError: It is no such JSON, or has more than `MAX_INSTANCES` entries.
    """
    # Base64 has none of these characters, so they count what a parser would build before it builds anything.
    if sum(map(body.count, (b"[", b"{", b","))) > 4 * MAX_INSTANCES + 100:
        message = f"The body holds more than {MAX_INSTANCES} instances. Send fewer."
        raise RefusedError(413, "too_many_instances", message)
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        message = f"The body is not valid JSON: {str(error)[:200]}. {_EXPECTED}"
        raise RefusedError(400, "invalid_json", message) from error
    entries = found.get("instances") if isinstance(found, dict) else None
    if not isinstance(entries, list) or not entries:
        raise RefusedError(400, "invalid_instances", f'The body has no list of "instances". {_EXPECTED}')
    if len(entries) > MAX_INSTANCES:
        message = f"The body holds {len(entries)} instances; at most {MAX_INSTANCES} are allowed. Send fewer."
        raise RefusedError(413, "too_many_instances", message)
    return Pictures(tuple(_instance(entry, index) for index, entry in enumerate(entries)), many=True)


_EXPECTED = 'Expected {"instances": [{"b64": "<base64 of a picture>"}, ...]}.'


def _instance(entry: Any, index: int) -> bytes:
    text = entry.get("b64") if isinstance(entry, dict) else None
    if not isinstance(text, str):
        raise RefusedError(400, "invalid_instances", f'instances[{index}] is not an object with "b64". {_EXPECTED}')
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RefusedError(400, "invalid_base64", f"instances[{index}] is not valid base64: {error}.") from error


DECODERS: Mapping[str, Callable[[bytes], Pictures]] = {
    "application/x-image": one_picture,
    "image/jpeg": one_picture,
    "image/png": one_picture,
    "image/webp": one_picture,
    "image/bmp": one_picture,
    "image/gif": one_picture,
    "image/*": one_picture,
    "application/octet-stream": one_picture,
    "application/json": instances,
}
"""Content-Type to what the body means. What a single picture is its own first bytes decide, whatever was said."""


def decode(content_type: str | None, body: bytes) -> Pictures:
    """Turn a body into pictures.

    A body that is a picture by its first bytes is taken as one under any Content-Type, with a note.

    Raises:
        RefusedError: The body is empty (400), the type is not accepted (415), or the JSON is not as it should be.
    """
    if not body:
        raise RefusedError(400, "empty", "The body is empty; send the bytes of a picture.")
    decoder = DECODERS.get(media_types.parse(content_type or "").name)
    if decoder is one_picture:
        return one_picture(body)
    if picture_format := imaging.sniff(body):
        return Pictures((body,), note=f"Content-Type is {content_type!r}, but the body is {picture_format}: answered")
    if decoder is None:
        accepted = ", ".join(name for name in DECODERS if "*" not in name)
        given = f"Content-Type {content_type!r} is" if content_type else "A missing Content-Type is"
        raise RefusedError(415, "unsupported_media_type", f"{given} not accepted for this body. Accepted: {accepted}.")
    return decoder(body)


OFFERS = ("application/json", "application/json;verbose", "application/json;verbose;n_predictions=<k>")


def negotiate(accept: str | None, default: AnswerForm = PLAIN) -> AnswerForm:
    """Choose the form of the answer by an Accept header; `default` when it is missing, empty or `*/*`.

    Raises:
        RefusedError: Nothing that is accepted is offered (406).
    """
    if accept is None or not accept.strip():
        return default
    for wanted in media_types.parse_preferences(accept):
        if wanted.name in ("*/*", "application/*", "*"):
            return default
        if wanted.name == "application/json":
            return _form(wanted, accept)
    raise _not_offered(accept)


def _form(wanted: MediaType, accept: str) -> AnswerForm:
    verbose, given = wanted.has("verbose"), wanted.parameters.get("n_predictions")
    if given is None:
        return AnswerForm(verbose)
    if not verbose or not (given.isascii() and given.isdecimal() and int(given[:9]) >= 1):
        raise _not_offered(accept)
    return AnswerForm(verbose, int(given[:9]))


def _not_offered(accept: str) -> RefusedError:
    message = f"Accept {accept[:200]!r} is not offered. Offered: {', '.join(OFFERS)} with a whole number k from 1 on."
    return RefusedError(406, "not_acceptable", message)


def probabilities_alone(prediction: Prediction, count: int | None) -> Any:
    """Return the probabilities in index order."""
    return {"probabilities": prediction.probabilities}


def with_labels(prediction: Prediction, count: int | None) -> Any:
    """Return probabilities and labels in index order, or the `count` most probable sorted, and the predicted label."""
    shown = prediction if count is None else prediction.most_probable(count)
    return {
        "probabilities": shown.probabilities,
        "labels": shown.labels,
        "predicted_label": prediction.predicted_label,
    }


ENCODERS: Mapping[bool, Callable[[Prediction, int | None], Any]] = {False: probabilities_alone, True: with_labels}
"""By `AnswerForm.verbose`."""


def encode(predictions: Sequence[Prediction], many: bool, form: AnswerForm) -> bytes:
    """Write an answer as JSON: an object for a picture; for a list `{"predictions": [...]}`, one entry each.

    The entries of a list that is not verbose are bare lists of probabilities, as TensorFlow Serving answers.
    """
    encoder = ENCODERS[form.verbose]
    answers = [encoder(prediction, form.count) for prediction in predictions]
    if not many:
        return json.dumps(answers[0]).encode()
    if not form.verbose:
        answers = [answer["probabilities"] for answer in answers]
    return json.dumps({"predictions": answers}).encode()
