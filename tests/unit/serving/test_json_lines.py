"""A body of lines, answered by lines: order, batches, what cannot be answered, and how much is in memory."""

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
from image_classifier.serving.formats.response_files import AnswerFiles
from image_classifier.serving.rejection import RejectedError

LINES = {"Content-Type": "application/jsonlines"}
MEGABYTE = 1024 * 1024
FILES = AnswerFiles(1024 * MEGABYTE)


def line(data: bytes, end: bytes = b"\n") -> bytes:
    """Write an image as a line."""
    return json.dumps({"b64": base64.b64encode(data).decode()}).encode() + end


def classify(images: Sequence[bytes]) -> list[json_lines.Outcome]:
    """Answer bytes by their number; empty ones are rejected."""
    assert 0 < len(images) <= BATCH
    rejected = ImageRejected("empty", "Nothing there.")
    return [Prediction((str(len(image)),), np.array([0.5], np.float32)) if image else rejected for image in images]


def answers(response: Response) -> list[Any]:
    """Read the lines of an answer, which end with its last byte."""
    body = b"".join(response.iter_encoded())
    response.close()
    assert body.endswith(b"\n")
    assert (response.content_type, response.content_length) == ("application/jsonlines", len(body))
    return [json.loads(found) for found in body.splitlines()]


def test_lines_are_answered_in_order_through_batches() -> None:
    """More lines than are decoded at once, each of another length -> as many lines, each for its image."""
    count = 2 * BATCH + 3
    body = b"".join(line(b"x" * (index + 1)) for index in range(count))
    form = response_formats.negotiate("application/json;verbose")
    found = answers(json_lines.answer(json_bodies.lines(body), form, classify, FILES))
    assert [entry["labels"] for entry in found] == [[str(index + 1)] for index in range(count)]


def test_reason_stands_in_the_place_of_its_line() -> None:
    """A rejected image and a line that is no JSON between two images -> four lines, codes and sentences in two."""
    body = line(b"x") + line(b"") + b"nonsense\n" + line(b"xx")
    first, empty, nonsense, last = answers(
        json_lines.answer(json_bodies.lines(body), response_formats.PLAIN, classify, FILES)
    )
    assert (first, last) == ({"probabilities": [0.5]}, {"probabilities": [0.5]})
    assert empty == {"error": "empty", "message": "Nothing there."}
    assert (list(nonsense), nonsense["error"]) == (["error", "message"], "invalid_json")


def test_body_without_one_proper_line_is_rejected() -> None:
    """A table of commas, sent as lines -> 400 with what is wrong with the first, not a 200 full of errors."""
    body = b"a,b\n1,2\n" * BATCH
    with pytest.raises(
        RejectedError, match=f"^Line 1 of {2 * BATCH}, none of which can be used: The line is not"
    ) as found:
        json_lines.answer(json_bodies.lines(body), response_formats.PLAIN, classify, FILES)
    assert (found.value.status, found.value.code) == (400, "invalid_json")


def test_failure_inside_is_no_answer_at_all() -> None:
    """A network that fails at the second batch -> the failure itself, before anything was answered."""
    calls = []

    def fail_later(images: Sequence[bytes]) -> list[json_lines.Outcome]:
        calls.append(len(images))
        if len(calls) == 2:
            raise ArithmeticError("no number")
        return classify(images)

    with pytest.raises(ArithmeticError):
        json_lines.answer(json_bodies.lines(line(b"x") * (BATCH + 1)), response_formats.PLAIN, fail_later, FILES)
    assert calls == [BATCH, 1]


def test_long_answer_is_no_longer_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty megabytes of images with as long an answer -> a few megabytes beside the body, and every line."""
    monkeypatch.setattr(response_files, "IN_MEMORY", MEGABYTE)
    body = line(b"x" * 40_000) * 400

    def wordy(images: Sequence[bytes]) -> list[json_lines.Outcome]:
        return [Prediction((image.decode(),), np.array([0.5], np.float32)) for image in images]

    tracemalloc.start()
    try:
        form = response_formats.negotiate("application/json;verbose")
        response = json_lines.answer(json_bodies.lines(body), form, wordy, FILES)
        count = sum(bytes(block).count(b"\n") for block in response.iter_encoded())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    response.close()
    assert count == 400
    assert peak < 8 * MEGABYTE < len(body) / 2


def png(colour: str) -> bytes:
    """Make an image of one colour."""
    file = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "application/jsonlines", "application/*;q=0.5"])
def test_lines_are_answered_by_lines_whatever_is_accepted(client: FlaskClient, accept: str | None) -> None:
    """Two images in lines and every Accept that is offered -> two lines with what each gets alone."""
    headers = LINES | ({"Accept": accept} if accept else {})
    answer = client.post("/invocations", data=line(png("red")) + line(png("blue")), headers=headers)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/jsonlines")
    alone = [client.post("/invocations", data=png(name)).get_json() for name in ("red", "blue")]
    assert [json.loads(found) for found in answer.data.splitlines()] == [
        {"probabilities": pytest.approx(found["probabilities"], abs=1e-6)} for found in alone
    ]


def test_one_image_and_a_list_are_answered_by_lines_when_asked(client: FlaskClient) -> None:
    """Accept application/jsonlines;verbose -> a line for an image, a line for each of a list, as objects."""
    headers = {"Accept": "application/jsonlines;verbose;n_predictions=1"}
    alone = client.post("/invocations", data=png("green"), headers=headers)
    row = {"b64": base64.b64encode(png("red")).decode()}
    many = client.post("/invocations", json={"instances": [row, row]}, headers=headers)
    assert {alone.headers["Content-Type"], many.headers["Content-Type"]} == {"application/jsonlines"}
    assert alone.data.count(b"\n") == 1
    assert json.loads(alone.data)["labels"] == ["green"]
    assert [json.loads(found)["labels"] for found in many.data.splitlines()] == [["red"], ["red"]]


def test_default_form_of_a_server_holds_for_lines(client_of: Callable[..., FlaskClient]) -> None:
    """A server whose default is verbose with a threshold -> lines with the labels above it."""
    client = client_of(default_form=response_formats.negotiate("application/json;verbose;threshold=0.5"))
    answer = client.post("/invocations", data=line(png("blue"), b"\r\n") + b"\r\n", headers=LINES)
    assert json.loads(answer.data)["labels"] == ["blue"]


def test_embedding_of_lines_without_features_is_rejected_whole(client: FlaskClient) -> None:
    """A model without features -> 406 with the remedy for the whole body."""
    headers = LINES | {"Accept": "application/jsonlines;embedding"}
    answer = client.post("/invocations", data=line(png("blue")), headers=headers)
    assert (answer.status_code, answer.get_json()["error"]) == (406, "no_embedding")
