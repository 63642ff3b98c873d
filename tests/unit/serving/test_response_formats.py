"""Accept headers and the responses that they ask for, without HTTP."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from image_classifier.imaging import ImageRejected
from image_classifier.inference.prediction import Prediction
from image_classifier.serving.formats import codecs, response_formats
from image_classifier.serving.formats.response_formats import ResponseFormat
from image_classifier.serving.rejection import RejectedError

EMBEDDING = ResponseFormat(embedding=True)
PREDICTION = Prediction(
    ("a", "b", "c"), np.array([0.25, 0.5, 0.125], np.float32), np.array([0.1, -2, 1e-9], np.float32), familiarity=0.934
)


@pytest.mark.parametrize(
    ("accept", "response_format"),
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
        ("application/json; Embedding=false; ood=0;explain=false", ResponseFormat()),
        ("application/json; OOD=true; explain", ResponseFormat(familiarity=True, explanation=True)),
        ("application/jsonlines", ResponseFormat(lines=True)),
        (
            "application/jsonlines;verbose;n_predictions=2;threshold=0.1;embedding;ood",
            ResponseFormat(verbose=True, count=2, threshold=0.1, embedding=True, familiarity=True, lines=True),
        ),
    ],
)
def test_accept_selects_the_format(accept: str | None, response_format: ResponseFormat) -> None:
    """Given Accept headers of real clients -> the intended response format."""
    assert response_formats.negotiate(accept) == response_format


def test_wildcards_select_the_default() -> None:
    """Given a verbose default -> a missing Accept and */* are verbose, application/json stays plain."""
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
def test_unsupported_accept_is_rejected_with_the_offers(accept: str) -> None:
    """Given an unsupported type or an invalid count -> 406 with the supported formats."""
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
    (ResponseFormat(familiarity=True), '{"probabilities":[0.25,0.5,0.125],"familiarity":0.934}'),
    (
        ResponseFormat(verbose=True, count=1, embedding=True, familiarity=True),
        '{"probabilities":[0.5],"labels":["b"],"predicted_label":"b","embedding":[0.1,-2.0,1e-9],"familiarity":0.934}',
    ),
]


@pytest.mark.parametrize(("response_format", "body"), ANSWERS)
def test_responses_have_their_keys_in_order(response_format: ResponseFormat, body: str) -> None:
    """Given a prediction in each format, as an object and as a line -> exactly this text."""
    assert codecs.encode([PREDICTION], is_list=False, response_format=response_format).decode() == body
    in_lines = replace(response_format, lines=True)
    assert codecs.encode([PREDICTION] * 2, is_list=True, response_format=in_lines).decode() == 2 * f"{body}\n"
    assert (response_format.media_type, in_lines.media_type) == ("application/json", "application/jsonlines")


def test_numbers_are_short_and_exact() -> None:
    """Given float32 numbers -> the shortest decimals that round-trip, of at most nine digits."""
    some = np.array([0.1, 1 / 3, -2.5e-9, 16_777_216], np.float32)
    many = np.random.default_rng(0).dirichlet(np.full(1000, 0.05)).astype(np.float32)
    found = codecs.encode([Prediction(("a",) * 1000, many, some)], is_list=False, response_format=EMBEDDING)
    assert b'"embedding":[0.1,0.33333334,-2.5e-9,16777216.0]' in found
    assert np.array_equal(np.array(json.loads(found)["probabilities"], np.float32), many)
    digits = [text.split("e")[0].replace(".", "").lstrip("0") for text in re.findall(r"[\d.e-]+", found.decode())]
    assert max(map(len, digits)) <= 9


def test_errors_are_encoded_as_lines() -> None:
    """Given a rejected image and a rejected line -> code and sentence, one line each."""
    for rejected in (ImageRejected("corrupt", "Cut off."), RejectedError(400, "corrupt", "Cut off.")):
        assert codecs.line(rejected, ResponseFormat()) == b'{"error":"corrupt","message":"Cut off."}\n'


def test_embedding_of_a_model_without_features_is_rejected() -> None:
    """Given a prediction without features -> 406 with the remedy."""
    with pytest.raises(RejectedError, match=r"no feature output.*scripts/convert-model.*fine-tune") as found:
        codecs.encode(
            [Prediction(("a", "b"), np.array([0.5, 0.5], np.float32))],
            is_list=False,
            response_format=EMBEDDING,
        )
    assert (found.value.status, found.value.code) == (406, "no_embedding")


def test_lists_are_answered_by_lists() -> None:
    """Given two predictions -> bare lists as in TensorFlow Serving, objects if verbose; a list of one stays a list."""
    plain = json.loads(codecs.encode([PREDICTION, PREDICTION], is_list=True, response_format=ResponseFormat()))
    assert plain == {"predictions": [[0.25, 0.5, 0.125]] * 2}
    verbose = json.loads(codecs.encode([PREDICTION], is_list=True, response_format=ResponseFormat(verbose=True)))
    assert [entry["predicted_label"] for entry in verbose["predictions"]] == ["b"]
    embedded = json.loads(codecs.encode([PREDICTION], is_list=True, response_format=EMBEDDING))
    assert list(embedded["predictions"][0]) == ["probabilities", "embedding"]


def test_binary_responses_keep_one_probability() -> None:
    """Given a binary prediction -> one probability with both labels; sorted formats have a pair."""
    binary = Prediction(("cat", "dog"), np.array([0.75], np.float32))
    every = json.loads(codecs.encode([binary], is_list=False, response_format=ResponseFormat(verbose=True)))
    assert every == {"probabilities": [0.75], "labels": ["cat", "dog"], "predicted_label": "dog"}
    best = json.loads(codecs.encode([binary], is_list=False, response_format=ResponseFormat(verbose=True, count=5)))
    assert (best["labels"], best["probabilities"]) == (["dog", "cat"], [0.75, 0.25])


@pytest.mark.parametrize(
    ("threshold", "labels", "probabilities", "predicted"),
    [(0.2, ["dog", "cat"], [0.75, 0.25], "dog"), (0.75, ["dog"], [0.75], "dog"), (0.8, [], [], None)],
)
def test_threshold_applies_to_both_classes_of_a_binary_prediction(
    threshold: float, labels: list[str], probabilities: list[float], predicted: str | None
) -> None:
    """Given a binary prediction and several thresholds -> two classes, one, or none with a null label."""
    binary = Prediction(("cat", "dog"), np.array([0.75], np.float32))
    response_format = ResponseFormat(verbose=True, threshold=threshold)
    found = json.loads(codecs.encode([binary], is_list=False, response_format=response_format))
    assert found == {"probabilities": probabilities, "labels": labels, "predicted_label": predicted}
