"""Responses in lines: order, batches, errors, memory."""

import base64
import io
import json
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from flask import Response
from flask.testing import FlaskClient
from PIL import Image

from image_classifier.imaging import ImageRejected
from image_classifier.inference.decode_work import BATCH
from image_classifier.inference.prediction import Prediction
from image_classifier.serving.formats import json_bodies, json_lines, response_files, response_formats
from image_classifier.serving.formats.response_files import ResponseFiles
from image_classifier.serving.rejection import RejectedError

LINES = {"Content-Type": "application/jsonlines"}
MEGABYTE = 1024 * 1024
FILES = ResponseFiles(1024 * MEGABYTE)


def line(data: bytes, end: bytes = b"\n") -> bytes:
    """Encode an image as a line."""
    return json.dumps({"b64": base64.b64encode(data).decode()}).encode() + end


def classify(images: Sequence[bytes]) -> list[json_lines.Outcome]:
    """Classify bytes by their number; empty ones are rejected."""
    assert 0 < len(images) <= BATCH
    rejected = ImageRejected("empty", "Nothing there.")
    return [Prediction((str(len(image)),), np.array([0.5], np.float32)) if image else rejected for image in images]


def parsed_lines(response: Response) -> list[Any]:
    """Parse the lines of a response, which must end with a line feed."""
    body = b"".join(response.iter_encoded())
    response.close()
    assert body.endswith(b"\n")
    assert (response.content_type, response.content_length) == ("application/jsonlines", len(body))
    return [json.loads(found) for found in body.splitlines()]


def test_lines_are_answered_in_order_across_batches() -> None:
    """Given more lines than a batch, each of a different length -> one line each, for its own image."""
    count = 2 * BATCH + 3
    body = b"".join(line(b"x" * (index + 1)) for index in range(count))
    form = response_formats.negotiate("application/json;verbose")
    found = parsed_lines(json_lines.respond(json_bodies.lines(body), form, classify, FILES))
    assert [entry["labels"] for entry in found] == [[str(index + 1)] for index in range(count)]


def test_error_takes_the_position_of_its_line() -> None:
    """Given a rejected image and a line of invalid JSON between two images -> four lines, two of them errors."""
    body = line(b"x") + line(b"") + b"nonsense\n" + line(b"xx")
    first, empty, nonsense, last = parsed_lines(
        json_lines.respond(json_bodies.lines(body), response_formats.PLAIN, classify, FILES)
    )
    assert (first, last) == ({"probabilities": [0.5]}, {"probabilities": [0.5]})
    assert empty == {"error": "empty", "message": "Nothing there."}
    assert (list(nonsense), nonsense["error"]) == (["error", "message"], "invalid_json")


def test_lone_surrogate_in_a_line_is_answered() -> None:
    """A name that JSON can write and UTF-8 cannot -> the error of its line, and the body's, has it as an escape."""
    # Found by the fuzz run: the whole body was answered with 500.
    wrong = b'{"\\ud83d": 0}\n'
    found = parsed_lines(
        json_lines.respond(json_bodies.lines(line(b"a") + wrong), response_formats.PLAIN, classify, FILES)
    )
    assert found[1]["error"] == "invalid_line"
    assert '"\\ud83d"' in found[1]["message"]
    with pytest.raises(RejectedError) as rejected:
        json_lines.respond(json_bodies.lines(wrong), response_formats.PLAIN, classify, FILES)
    assert '"\\ud83d"' in json.loads(rejected.value.body)["message"]


def test_body_without_a_valid_line_is_rejected() -> None:
    """Given a CSV table sent as lines -> 400 with the problem of the first line, not a 200 full of errors."""
    body = b"a,b\n1,2\n" * BATCH
    with pytest.raises(
        RejectedError, match=f"^Line 1 of {2 * BATCH}, none of which is valid: The line is not"
    ) as found:
        json_lines.respond(json_bodies.lines(body), response_formats.PLAIN, classify, FILES)
    assert (found.value.status, found.value.code) == (400, "invalid_json")


def test_internal_failure_sends_no_partial_response() -> None:
    """Given a network that fails in the second batch -> the exception propagates before anything is sent."""
    calls = []

    def fail_later(images: Sequence[bytes]) -> list[json_lines.Outcome]:
        calls.append(len(images))
        if len(calls) == 2:
            raise ArithmeticError("no number")
        return classify(images)

    with pytest.raises(ArithmeticError):
        json_lines.respond(json_bodies.lines(line(b"x") * (BATCH + 1)), response_formats.PLAIN, fail_later, FILES)
    assert calls == [BATCH, 1]


def test_long_response_is_not_kept_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given 20 MB of images and a response as long -> a few MB of memory beside the body, and every line."""
    monkeypatch.setattr(response_files, "IN_MEMORY", MEGABYTE)
    body = line(b"x" * 40_000) * 400

    def wordy(images: Sequence[bytes]) -> list[json_lines.Outcome]:
        return [Prediction((image.decode(),), np.array([0.5], np.float32)) for image in images]

    tracemalloc.start()
    try:
        form = response_formats.negotiate("application/json;verbose")
        response = json_lines.respond(json_bodies.lines(body), form, wordy, FILES)
        count = sum(bytes(block).count(b"\n") for block in response.iter_encoded())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    response.close()
    assert count == 400
    assert peak < 8 * MEGABYTE < len(body) / 2


def png(colour: str) -> bytes:
    """Return an image of one colour."""
    file = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "application/jsonlines", "application/*;q=0.5"])
def test_lines_are_answered_by_lines_under_every_accept(client: FlaskClient, accept: str | None) -> None:
    """Given two images in lines and any supported Accept -> two lines, equal to the single responses."""
    headers = LINES | ({"Accept": accept} if accept else {})
    answer = client.post("/invocations", data=line(png("red")) + line(png("blue")), headers=headers)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/jsonlines")
    alone = [client.post("/invocations", data=png(name)).get_json() for name in ("red", "blue")]
    assert [json.loads(found) for found in answer.data.splitlines()] == [
        {"probabilities": pytest.approx(found["probabilities"], abs=1e-6)} for found in alone
    ]


def test_accept_jsonlines_applies_to_images_and_lists(client: FlaskClient) -> None:
    """Given Accept application/jsonlines;verbose -> one line for an image, one per entry of a list, as objects."""
    headers = {"Accept": "application/jsonlines;verbose;n_predictions=1"}
    alone = client.post("/invocations", data=png("green"), headers=headers)
    row = {"b64": base64.b64encode(png("red")).decode()}
    many = client.post("/invocations", json={"instances": [row, row]}, headers=headers)
    assert {alone.headers["Content-Type"], many.headers["Content-Type"]} == {"application/jsonlines"}
    assert alone.data.count(b"\n") == 1
    assert json.loads(alone.data)["labels"] == ["green"]
    assert [json.loads(found)["labels"] for found in many.data.splitlines()] == [["red"], ["red"]]


def test_default_format_applies_to_lines(client_of: Callable[..., FlaskClient]) -> None:
    """Given a default format with verbose and a threshold -> lines with the labels above it."""
    client = client_of(default_format=response_formats.negotiate("application/json;verbose;threshold=0.5"))
    answer = client.post("/invocations", data=line(png("blue"), b"\r\n") + b"\r\n", headers=LINES)
    assert json.loads(answer.data)["labels"] == ["blue"]


def test_embedding_without_features_rejects_all_lines(client: FlaskClient) -> None:
    """Given a model without features -> 406 with the remedy for the whole body."""
    headers = LINES | {"Accept": "application/jsonlines;embedding"}
    answer = client.post("/invocations", data=line(png("blue")), headers=headers)
    assert (answer.status_code, answer.get_json()["error"]) == (406, "no_embedding")
