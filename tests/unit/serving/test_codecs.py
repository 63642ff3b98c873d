"""Decoding of bodies into images, without HTTP."""

import base64
import io
import json
from typing import Any

import pytest
from PIL import Image

from image_classifier.serving.formats import codecs, json_bodies
from image_classifier.serving.formats.codecs import Images
from image_classifier.serving.rejection import RejectedError


def image(kind: str = "PNG") -> bytes:
    """Return a small image."""
    file = io.BytesIO()
    Image.new("RGB", (4, 3), "red").save(file, kind)
    return file.getvalue()


def rows(*images: bytes) -> dict[str, Any]:
    """Encode images in TensorFlow Serving's row format."""
    return {"instances": [{"b64": base64.b64encode(image).decode()} for image in images]}


def images(content_type: str | None, body: bytes) -> Images:
    """Decode a body other than lines."""
    found = codecs.decode(content_type, body)
    assert isinstance(found, Images)
    return found


def rejection(content_type: str | None, body: bytes) -> RejectedError:
    """Return the rejection of a body."""
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
    """Given each supported type -> the body as one image without a note, whatever its format."""
    found = images(content_type, image())
    assert (found.images, found.is_list, found.note) == ((image(),), False, None)


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/json", "multipart/form-data"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF"])
def test_image_under_another_type_is_accepted_with_a_note(content_type: str | None, kind: str) -> None:
    """Given an image with a wrong Content-Type or none -> one image and a note with its format."""
    found = images(content_type, image(kind))
    assert found.images == (image(kind),)
    assert found.note is not None
    assert kind in found.note


@pytest.mark.parametrize("content_type", [None, "text/csv", "application/x-npy", "rubbish"])
def test_other_types_are_rejected_with_the_supported_ones(content_type: str | None) -> None:
    """Given a body other than an image under another type or none -> 415 with the list."""
    found = rejection(content_type, b"1,2,3")
    assert (found.status, found.code) == (415, "unsupported_media_type")
    assert "application/x-image, image/jpeg, image/png" in found.message


@pytest.mark.parametrize("content_type", ["application/x-image", "application/json", None])
def test_empty_body_is_rejected(content_type: str | None) -> None:
    """Given no bytes -> 400 under every type."""
    assert (rejection(content_type, b"").status, rejection(content_type, b"").code) == (400, "empty")


def test_rows_of_tensorflow_serving_are_images() -> None:
    """Given two rows and an unknown key -> two images, to be answered as a list."""
    body = {"signature_name": "serving_default", **rows(b"first", b"second")}
    found = images("application/json; charset=utf-8", json.dumps(body).encode())
    assert (found.images, found.is_list) == ((b"first", b"second"), True)


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
def test_invalid_json_is_rejected(body: bytes, status: int, code: str) -> None:
    """Given every kind of invalid JSON, including a million empty lists -> its code and a sentence."""
    found = rejection("application/json", body)
    assert (found.status, found.code) == (status, code)
    assert found.message.endswith(".")


def test_maximum_number_of_instances_is_accepted() -> None:
    """Given exactly the allowed number of rows -> all of them."""
    body = json.dumps(rows(*[b"x"] * json_bodies.MAX_INSTANCES)).encode()
    assert len(images("application/json", body).images) == json_bodies.MAX_INSTANCES


def test_image_sent_as_lines_is_an_image() -> None:
    """Given an image with the Content-Type of lines -> one image and a note."""
    assert images("application/jsonlines", image()).note is not None
