"""The accepted forms of images in JSON."""

import base64
import json
import time
from typing import Any

import pytest
from flask.testing import FlaskClient

from image_classifier.serving.formats import json_bodies
from image_classifier.serving.formats.json_bodies import MAX_INSTANCES, Instances
from image_classifier.serving.rejection import RejectedError

GIF = b"GIF89a" + bytes(range(256))
B64 = base64.b64encode(GIF).decode()
ENTRY = {"b64": B64}


def instances(value: Any) -> Instances:
    """Decode a JSON value as a body."""
    return json_bodies.instances(json.dumps(value).encode())


@pytest.mark.parametrize("extra", [0, 1, 2])
@pytest.mark.parametrize(
    "written",
    [
        lambda data: base64.encodebytes(data).decode(),
        lambda data: base64.b64encode(data).decode().rstrip("="),
        lambda data: base64.urlsafe_b64encode(data).decode(),
        lambda data: base64.urlsafe_b64encode(data).decode().rstrip("="),
        lambda data: base64.encodebytes(data).decode().replace("\n", "\r\n"),
        lambda data: " \t" + base64.b64encode(data).decode() + "\n",
    ],
)
def test_base64_is_decoded_leniently(written: Any, extra: int) -> None:
    """Given line breaks, blanks, no padding, the URL-safe alphabet -> the bytes, in a list and in a line."""
    data = bytes(range(255, -1, -1)) + bytes(extra)
    assert instances({"instances": [{"b64": written(data)}]}).images == (data,)
    line = json.dumps({"b64": written(data)}).encode()
    assert json_bodies.lines(line).image(0) == data


@pytest.mark.parametrize("text", ["?", "a", "abcde", "ab=c", "é", "aGk=aGk=", "a-b*"])
def test_invalid_base64_is_rejected(text: str) -> None:
    """Given other characters, an impossible length, padding in the middle -> 400."""
    with pytest.raises(RejectedError, match=r"instances\[0\] is not valid base64") as found:
        instances({"instances": [{"b64": text}]})
    assert found.value.code == "invalid_base64"


def test_data_url_is_identified() -> None:
    """Given a data: URL instead of base64 -> 400 that names it, without its content."""
    with pytest.raises(RejectedError, match=r"begins with 'data:image/gif;base64,.*: a data: URL") as found:
        instances({"instances": [{"b64": f"data:image/gif;base64,{B64}"}]})
    assert len(found.value.message) < 200


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({"instances": [ENTRY]}, "predictions"),
        ({"instances": [{"image_bytes": ENTRY}]}, "predictions"),
        ({"instances": [{"image": ENTRY, "key": 7}]}, "predictions"),
        ({"instances": [{"b64": B64, "key": "a"}]}, "predictions"),
        ({"instances": [B64]}, "predictions"),
        ({"inputs": ENTRY}, "outputs"),
        ({"inputs": [ENTRY]}, "outputs"),
        ({"inputs": B64}, "outputs"),
        ({"inputs": {"image_bytes": ENTRY}}, "outputs"),
        ({"inputs": {"image_bytes": [ENTRY]}}, "outputs"),
        ({"signature_name": "serving_default", "inputs": {"image_bytes": [ENTRY]}}, "outputs"),
    ],
    ids=str,
)
def test_accepted_forms_are_decoded(body: Any, key: str) -> None:
    """Given rows and columns of TensorFlow Serving, named inputs, bare base64 -> the image and the response's key."""
    assert instances(body) == Instances((GIF,), key)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"instances": [{"a": ENTRY, "b": ENTRY}]}, 'but an object with "a", "b"'),
        ({"instances": [{"image": B64}]}, 'but an object with "image"'),
        ({"instances": [{"b64": 7}]}, 'but an object with "b64"'),
        ({"instances": [{}]}, "but an empty object"),
        ({"instances": [None]}, "but null"),
        ({"instances": ["https://example.com/photo.jpg"]}, "not valid base64"),
        ({"instances": ["aGVsbG8="]}, "a string that is not the base64 text of an image"),
        ({"instances": ENTRY}, 'no list of "instances" but an object with "b64"'),
        ({"inputs": {"a": [ENTRY], "b": [ENTRY]}}, 'but an object with "a", "b"'),
        ({"inputs": 7}, 'no list of "inputs" but a number'),
        ({"instances": [ENTRY], "inputs": ENTRY}, 'both "instances" and "inputs"'),
        ({"image": B64}, 'is an object with "image"'),
        (ENTRY, 'is an object with "b64"'),
        ([ENTRY], "The body is a list"),
        ({"instances": [[[[0, 0, 0]]]]}, "lists of numbers (pixels)"),
        ({"instances": [[0.5] * 784]}, "lists of numbers (pixels)"),
        ({"instances": [[[[0] * 3] * 224] * 224]}, "lists of numbers (pixels)"),
        ({"instances": [{"input": [[[0] * 3] * 224] * 224}]}, "lists of numbers (pixels)"),
        ({"instances": [0] * 5_000}, "lists of numbers (pixels)"),
        ({"inputs": [[[[0] * 3] * 224] * 224]}, "lists of numbers (pixels)"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_other_forms_are_identified(body: Any, said: str) -> None:
    """Given an entry without exactly one image, other keys, pixels -> 400 with the actual and the expected form."""
    with pytest.raises(RejectedError) as found:
        instances(body)
    assert found.value.status == 400
    assert said in found.value.message
    assert len(found.value.message) < 300


def test_pixels_in_a_line_are_identified() -> None:
    """Given a line of nested lists, small and large -> an error about pixels."""
    for side in (1, 28):
        with pytest.raises(RejectedError, match="pixels"):
            json_bodies.lines(json.dumps([[[0] * 3] * side] * side).encode()).image(0)


def test_too_many_images_are_413_in_every_form() -> None:
    """Given one image more than the limit, in each form -> 413."""
    for body in ({"instances": [ENTRY] * (MAX_INSTANCES + 1)}, {"inputs": [B64] * (MAX_INSTANCES + 1)}):
        with pytest.raises(RejectedError) as found:
            instances(body)
        assert (found.value.status, found.value.code) == (413, "too_many_instances")


def test_huge_arrays_are_rejected_without_parsing() -> None:
    """Given 20 MB of nested lists -> 400 within 0.5 s."""
    body = b'{"instances": [' + b"[0,0,0]," * 2_500_000 + b"[]]}"
    began = time.process_time()
    with pytest.raises(RejectedError, match="pixels"):
        json_bodies.instances(body)
    assert time.process_time() - began < 0.5


def test_columns_are_answered_as_outputs(client: FlaskClient, green: bytes) -> None:
    """Given one image as inputs and as instances -> equal probabilities, under outputs and predictions."""
    image = {"b64": base64.b64encode(green).decode()}
    columns = client.post("/invocations", json={"inputs": image}).get_json()
    rows = client.post("/invocations", json={"instances": [image]}).get_json()
    assert columns["outputs"] == rows["predictions"]
