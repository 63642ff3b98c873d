"""Bodies of captured requests and responses, in every form that the server accepts and offers."""

import base64
import contextlib
import json
import math
from typing import Any

import numpy as np
import pytest

from image_classifier.evaluation.drift.profile import UNKNOWN
from image_classifier.inference.prediction import Prediction
from image_classifier.monitoring import requests, responses
from image_classifier.monitoring.responses import Answer
from image_classifier.serving.formats import codecs, response_formats

PNG = b"\x89PNG\r\n\x1a\n and so on"
TEXT = base64.b64encode(PNG).decode()
NAMES = ("cat", "dog", "fox")
PREDICTION = Prediction(NAMES, np.array([0.2, 0.7, 0.1], np.float32), np.array([1, 2, 3], np.float32))
BINARY = Prediction(("good", "bad"), np.array([0.2], np.float32))


@pytest.mark.parametrize(
    ("body", "count"),
    [
        (PNG, 1),
        (json.dumps({"instances": [{"b64": TEXT}, {"b64": TEXT}]}).encode(), 2),
        (json.dumps({"inputs": {"b64": TEXT}}).encode(), 1),
        (json.dumps({"inputs": [TEXT]}).encode(), 1),
        (json.dumps({"inputs": {"image": [{"b64": TEXT}]}}).encode(), 1),
        (json.dumps({"instances": [{"image": {"b64": TEXT.rstrip("=")}}]}).encode(), 1),
        (f'{{"b64": "{TEXT}"}}\r\n\n{{"b64": "{TEXT}"}}\n'.encode(), 2),
        (f'{{"b64": "{TEXT}"}}'.encode(), 1),
    ],
)
def test_images_of_each_form(body: bytes, count: int) -> None:
    """Given a body in any accepted form -> the bytes of its images."""
    assert requests.images(body) == [PNG] * count


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"text", b"[[1, 2]]", b'{"instances": [[1, 2]]}', b'{"b64": "%%%"}', b"{}"),
        *(b"[" * 100_000, b'{"instances": ' + b"[" * 100_000, b"{}\n" + b"[" * 100_000),
    ],
)
def test_other_bodies_have_no_images(body: bytes) -> None:
    """Given a body without an image -> ValueError or no image, never another exception."""
    with contextlib.suppress(ValueError):
        assert requests.images(body) == []


@pytest.mark.parametrize(
    "accept",
    [
        "application/json",
        "application/json;verbose",
        "application/json;verbose;n_predictions=1",
        "application/json;verbose;threshold=0.3",
        "application/jsonlines",
        "application/jsonlines;verbose",
    ],
)
@pytest.mark.parametrize("is_list", [False, True])
@pytest.mark.parametrize(("prediction", "label", "confidence"), [(PREDICTION, "dog", 0.7), (BINARY, "good", 0.8)])
def test_answers_of_each_format_of_the_server(
    accept: str, is_list: bool, prediction: Prediction, label: str, confidence: float
) -> None:
    """Given what the server encodes for any Accept header -> class and probability, binary models included."""
    body = codecs.encode([prediction], is_list, response_formats.negotiate(accept))
    (found,) = responses.answers(body, prediction.labels)
    assert prediction.labels[found.predicted] == label
    assert found.confidence == pytest.approx(confidence)


def test_embedding_is_read() -> None:
    """Given ;embedding -> the features, float32, beside the class."""
    (found,) = responses.answers(
        codecs.encode([PREDICTION], False, response_formats.negotiate("application/json;embedding")), NAMES
    )
    assert found.embedding is not None
    assert found.embedding.tolist() == [1, 2, 3]
    assert found.predicted == 1


def test_lines_with_an_error_have_no_answer() -> None:
    """Given lines, of which one image was rejected -> as many answers as lines."""
    good = codecs.line(PREDICTION, response_formats.PLAIN)
    found = responses.answers(good + b'{"error": "corrupt", "message": "..."}\n' + good, NAMES)
    assert [answer.predicted for answer in found] == [1, UNKNOWN, 1]


@pytest.mark.parametrize(
    "entry",
    [
        {"probabilities": [0.5, 0.5]},
        {"probabilities": [], "labels": [], "predicted_label": None},
        {"probabilities": [0.9], "labels": ["wolf"], "predicted_label": "wolf"},
        {"probabilities": "0.9"},
        {"probabilities": [None, 0.5, 0.5]},
        {"probabilities": [math.inf, 0.5, 0.5]},
        {"probabilities": [10**400, 0.5, 0.5]},
        {"error": "busy"},
        5,
        None,
    ],
)
def test_answer_that_names_no_class_is_unknown(entry: Any) -> None:
    """Given probabilities of another model, a threshold that no class reached, or an error -> unknown, and no error."""
    (found,) = responses.answers(json.dumps(entry).encode(), NAMES)
    assert found.predicted == UNKNOWN
    assert math.isnan(found.confidence)
    assert isinstance(found, Answer)


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[" * 100_000, b'{"predictions": ' + b"[" * 100_000])
def test_response_that_is_no_json_is_rejected(body: bytes) -> None:
    """Given another document -> ValueError, or no answer for an empty one."""
    with contextlib.suppress(ValueError):
        assert responses.answers(body, NAMES) == []
