"""From bodies to images and from predictions to bodies, without HTTP."""

import base64
import io
import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from image_classifier.imaging import ImageRejected
from image_classifier.inference.prediction import Prediction
from image_classifier.serving.formats import codecs, json_bodies, response_formats
from image_classifier.serving.formats.codecs import Images
from image_classifier.serving.formats.response_formats import ResponseFormat
from image_classifier.serving.rejection import RejectedError

PREDICTION = Prediction(
    ("a", "b", "c"), np.array([0.25, 0.5, 0.125], np.float32), np.array([0.1, -2, 1e-9], np.float32)
)


def image(kind: str = "PNG") -> bytes:
    """Make a small image."""
    file = io.BytesIO()
    Image.new("RGB", (4, 3), "red").save(file, kind)
    return file.getvalue()


def rows(*images: bytes) -> dict[str, Any]:
    """Write images in TensorFlow Serving's row format."""
    return {"instances": [{"b64": base64.b64encode(image).decode()} for image in images]}


def images(content_type: str | None, body: bytes) -> Images:
    """Decode what is no body of lines."""
    found = codecs.decode(content_type, body)
    assert isinstance(found, Images)
    return found


def rejection(content_type: str | None, body: bytes) -> RejectedError:
    """Decode what must be rejected."""
    with pytest.raises(RejectedError) as found:
        codecs.decode(content_type, body)
    return found.value


@pytest.mark.parametrize(
    "content_type",
    [
        *("application/x-image", "image/jpeg", "image/png", "image/webp", "application/octet-stream", "IMAGE/JPEG"),
        *("image/png; name=a.png", "image/*"),
    ],
)
def test_each_image_type_is_one_image(content_type: str) -> None:
    """Each accepted type -> the body as one image without a note, whatever its own bytes say."""
    found = images(content_type, image())
    assert (found.images, found.many, found.note) == ((image(),), False, None)


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/json", "multipart/form-data"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF"])
def test_a_image_under_another_name_is_noted_and_taken(content_type: str | None, kind: str) -> None:
    """An image with a wrong Content-Type or none -> one image and a note that names its format."""
    found = images(content_type, image(kind))
    assert found.images == (image(kind),)
    assert found.note is not None
    assert kind in found.note


@pytest.mark.parametrize("content_type", [None, "text/csv", "application/x-npy", "rubbish"])
def test_other_types_are_rejected_with_the_accepted_ones(content_type: str | None) -> None:
    """Something else than an image under another type or none -> 415 with the list."""
    found = rejection(content_type, b"1,2,3")
    assert (found.status, found.code) == (415, "unsupported_media_type")
    assert "application/x-image, image/jpeg, image/png" in found.message


@pytest.mark.parametrize("content_type", ["application/x-image", "application/json", None])
def test_empty_body_is_rejected(content_type: str | None) -> None:
    """No bytes at all -> 400 under every type."""
    assert (rejection(content_type, b"").status, rejection(content_type, b"").code) == (400, "empty")


def test_rows_of_tensorflow_serving_are_images() -> None:
    """Two rows and a key that nobody asked for -> two images, to be answered as a list."""
    body = {"signature_name": "serving_default", **rows(b"first", b"second")}
    found = images("application/json; charset=utf-8", json.dumps(body).encode())
    assert (found.images, found.many) == ((b"first", b"second"), True)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "invalid_json"),
        (b"\xff\xfe\xfa", 400, "invalid_json"),
        (b"[" * 1000, 400, "invalid_json"),
        (b"9" * 10_000, 400, "invalid_json"),
        (b"[]", 400, "invalid_instances"),
        (b"null", 400, "invalid_instances"),
        (b'{"instances": []}', 400, "invalid_instances"),
        (b'{"instances": {}}', 400, "invalid_instances"),
        (b'{"instances": [[0.1, 0.2]]}', 400, "invalid_instances"),
        (b'{"instances": [{"b64": 7}]}', 400, "invalid_instances"),
        (b'{"instances": [{"b64": "?"}]}', 400, "invalid_base64"),
        ('{"instances": [{"b64": "é"}]}'.encode(), 400, "invalid_base64"),
        (json.dumps(rows(*[b"x"] * (json_bodies.MAX_INSTANCES + 1))).encode(), 413, "too_many_instances"),
        (b'{"instances": [' + b"[]," * 1_000_000 + b"[]]}", 400, "invalid_instances"),
    ],
    ids=range(14),
)
def test_json_that_is_not_as_expected_is_rejected(body: bytes, status: int, code: str) -> None:
    """Each way in which JSON can be wrong, a million empty lists among them -> its code in a sentence."""
    found = rejection("application/json", body)
    assert (found.status, found.code) == (status, code)
    assert found.message.endswith(".")


def test_as_many_instances_as_allowed() -> None:
    """Exactly the allowed number of rows -> all of them."""
    body = json.dumps(rows(*[b"x"] * json_bodies.MAX_INSTANCES)).encode()
    assert len(images("application/json", body).images) == json_bodies.MAX_INSTANCES


def test_image_under_the_name_of_lines_is_a_image() -> None:
    """An image sent as lines -> one image and a note."""
    assert images("application/jsonlines", image()).note is not None


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, ResponseFormat()),
        ("", ResponseFormat()),
        ("*/*", ResponseFormat()),
        ("application/*;q=0.3", ResponseFormat()),
        ("application/json", ResponseFormat()),
        ("application/json;charset=utf-8", ResponseFormat()),
        ("application/json;verbose", ResponseFormat(verbose=True)),
        ("Application/JSON ; Verbose", ResponseFormat(verbose=True)),
        ("application/json;verbose=false", ResponseFormat()),
        ("text/csv, application/json;verbose;q=0.1", ResponseFormat(verbose=True)),
        ("application/json;q=0.1, application/json;verbose;q=0.9", ResponseFormat(verbose=True)),
        ("application/json;verbose;n_predictions=3", ResponseFormat(verbose=True, count=3)),
        ("application/json;n_predictions=1;verbose", ResponseFormat(verbose=True, count=1)),
        ("application/json;verbose;threshold=0.5", ResponseFormat(verbose=True, threshold=0.5)),
        ("application/json;threshold=.25;verbose", ResponseFormat(verbose=True, threshold=0.25)),
        ("application/json;verbose;threshold=1.0", ResponseFormat(verbose=True, threshold=1)),
        ("application/json;verbose;threshold=0", ResponseFormat(verbose=True, threshold=0)),
        ("application/json;embedding", ResponseFormat(embedding=True)),
        ("application/json; Embedding=false", ResponseFormat()),
        ("application/jsonlines", ResponseFormat(lines=True)),
        (
            "application/jsonlines;verbose;n_predictions=2;threshold=0.1;embedding",
            ResponseFormat(verbose=True, count=2, threshold=0.1, embedding=True, lines=True),
        ),
    ],
)
def test_accept_chooses_the_form(accept: str | None, form: ResponseFormat) -> None:
    """Accept headers as clients write them -> the form that is meant."""
    assert response_formats.negotiate(accept) == form


def test_anything_means_the_default() -> None:
    """A server whose default is verbose -> missing and */* are verbose, a plain wish stays plain."""
    verbose = ResponseFormat(verbose=True)
    assert [response_formats.negotiate(accept, verbose) for accept in (None, "*/*", "application/json")] == [
        verbose,
        verbose,
        ResponseFormat(),
    ]


@pytest.mark.parametrize(
    "accept",
    [
        *("text/csv", "image/png, text/html", "application/json;q=0", "application/jsonlines;q=0", ","),
        *("application/json;verbose;n_predictions=0", "application/json;verbose;n_predictions=-1"),
        *("application/json;verbose;n_predictions=many", "application/json;n_predictions=3"),
        *(
            f"application/json;verbose;threshold={wrong}"
            for wrong in ("1.01", "-0.1", "half", "5e-1", "1_0", "nan", "")
        ),
        *("application/json;threshold=0.5", "application/jsonlines;threshold=0.5"),
    ],
)
def test_what_is_not_offered_is_rejected_with_the_offers(accept: str) -> None:
    """A type that is not offered, or a count that is none -> 406 with the offers."""
    with pytest.raises(RejectedError) as found:
        response_formats.negotiate(accept)
    assert (found.value.status, found.value.code) == (406, "not_acceptable")
    assert all(offer in found.value.message for offer in response_formats.OFFERS)


ANSWERS = [
    (ResponseFormat(), '{"probabilities":[0.25,0.5,0.125]}'),
    (
        ResponseFormat(verbose=True),
        '{"probabilities":[0.25,0.5,0.125],"labels":["a","b","c"],"predicted_label":"b"}',
    ),
    (
        ResponseFormat(verbose=True, count=2),
        '{"probabilities":[0.5,0.25],"labels":["b","a"],"predicted_label":"b"}',
    ),
    (
        ResponseFormat(verbose=True, threshold=0.25),
        '{"probabilities":[0.5,0.25],"labels":["b","a"],"predicted_label":"b"}',
    ),
    (
        ResponseFormat(verbose=True, threshold=0.2, count=1),
        '{"probabilities":[0.5],"labels":["b"],"predicted_label":"b"}',
    ),
    (ResponseFormat(verbose=True, threshold=0.51), '{"probabilities":[],"labels":[],"predicted_label":null}'),
    (ResponseFormat(embedding=True), '{"probabilities":[0.25,0.5,0.125],"embedding":[0.1,-2.0,1e-9]}'),
    (
        ResponseFormat(verbose=True, count=1, embedding=True),
        '{"probabilities":[0.5],"labels":["b"],"predicted_label":"b","embedding":[0.1,-2.0,1e-9]}',
    ),
]


@pytest.mark.parametrize(("form", "body"), ANSWERS)
def test_answers_have_their_keys_in_the_given_order(form: ResponseFormat, body: str) -> None:
    """A prediction in each form, as an object and as a line -> exactly this text."""
    assert codecs.encode([PREDICTION], many=False, form=form).decode() == body
    in_lines = replace(form, lines=True)
    assert codecs.encode([PREDICTION] * 2, many=True, form=in_lines).decode() == 2 * f"{body}\n"
    assert (form.media_type, in_lines.media_type) == ("application/json", "application/jsonlines")


def test_numbers_are_short_and_exact() -> None:
    """Numbers of float32 -> the shortest decimals that read back as the same float32, of at most nine digits."""
    some = np.array([0.1, 1 / 3, -2.5e-9, 16_777_216], np.float32)
    many = np.random.default_rng(0).dirichlet(np.full(1000, 0.05)).astype(np.float32)
    found = codecs.encode([Prediction(("a",) * 1000, many, some)], many=False, form=ResponseFormat(embedding=True))
    assert b'"embedding":[0.1,0.33333334,-2.5e-9,16777216.0]' in found
    assert np.array_equal(np.array(json.loads(found)["probabilities"], np.float32), many)
    digits = [text.split("e")[0].replace(".", "").lstrip("0") for text in re.findall(r"[\d.e-]+", found.decode())]
    assert max(map(len, digits)) <= 9


def test_image_without_an_answer_gets_a_line_too() -> None:
    """A rejected image and a rejected line -> their code and sentence, as a line each."""
    for rejected in (ImageRejected("corrupt", "Cut off."), RejectedError(400, "corrupt", "Cut off.")):
        assert codecs.line(rejected, ResponseFormat()) == b'{"error":"corrupt","message":"Cut off."}\n'


def test_embedding_of_a_model_without_features_is_rejected() -> None:
    """A prediction without features -> 406 that says how a model gets them."""
    with pytest.raises(RejectedError, match=r"answers no features.*scripts/convert-model.*trained further") as found:
        codecs.encode(
            [Prediction(("a", "b"), np.array([0.5, 0.5], np.float32))], many=False, form=ResponseFormat(embedding=True)
        )
    assert (found.value.status, found.value.code) == (406, "no_embedding")


def test_lists_are_answered_by_lists() -> None:
    """Two predictions -> bare lists as TensorFlow Serving answers, objects when verbose; one in a list stays a list."""
    plain = json.loads(codecs.encode([PREDICTION, PREDICTION], many=True, form=ResponseFormat()))
    assert plain == {"predictions": [[0.25, 0.5, 0.125]] * 2}
    verbose = json.loads(codecs.encode([PREDICTION], many=True, form=ResponseFormat(verbose=True)))
    assert [entry["predicted_label"] for entry in verbose["predictions"]] == ["b"]
    embedded = json.loads(codecs.encode([PREDICTION], many=True, form=ResponseFormat(embedding=True)))
    assert list(embedded["predictions"][0]) == ["probabilities", "embedding"]


def test_binary_answers_keep_one_probability() -> None:
    """A binary prediction -> one probability with both labels; the most probable as a sorted pair."""
    binary = Prediction(("cat", "dog"), np.array([0.75], np.float32))
    every = json.loads(codecs.encode([binary], many=False, form=ResponseFormat(verbose=True)))
    assert every == {"probabilities": [0.75], "labels": ["cat", "dog"], "predicted_label": "dog"}
    best = json.loads(codecs.encode([binary], many=False, form=ResponseFormat(verbose=True, count=5)))
    assert (best["labels"], best["probabilities"]) == (["dog", "cat"], [0.75, 0.25])


@pytest.mark.parametrize(
    ("threshold", "labels", "probabilities", "predicted"),
    [(0.2, ["dog", "cat"], [0.75, 0.25], "dog"), (0.75, ["dog"], [0.75], "dog"), (0.8, [], [], None)],
)
def test_threshold_looks_at_both_classes_of_a_binary_answer(
    threshold: float, labels: list[str], probabilities: list[float], predicted: str | None
) -> None:
    """A binary prediction and thresholds below, at and above its probabilities -> both classes, one, none and null."""
    binary = Prediction(("cat", "dog"), np.array([0.75], np.float32))
    form = ResponseFormat(verbose=True, threshold=threshold)
    found = json.loads(codecs.encode([binary], many=False, form=form))
    assert found == {"probabilities": probabilities, "labels": labels, "predicted_label": predicted}
