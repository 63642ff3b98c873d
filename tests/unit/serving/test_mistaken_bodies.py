"""Bodies that are not an image are rejected with a hint; images pass."""

import base64
import gzip
import io
import json
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from image_classifier import imaging
from image_classifier.serving.formats import codecs
from image_classifier.serving.formats.codecs import Images
from image_classifier.serving.rejection import RejectedError

NOISE = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
X_IMAGE = "application/x-image"
FORM = "application/x-www-form-urlencoded"


def encoded(kind: str) -> bytes:
    """Encode noise in a format."""
    file = io.BytesIO()
    image = Image.fromarray(NOISE)
    (image.quantize(250) if kind == "GIF" else image).save(file, kind)
    return file.getvalue()


JPEG = encoded("JPEG")
CONVERSIONS: dict[str, Callable[[bytes], bytes]] = {
    "Latin-1 to UTF-8": lambda data: data.decode("latin-1").encode(),
    "replaced in UTF-8": lambda data: data.decode("utf-8", "replace").encode(),
    "line feeds to pairs": lambda data: data.replace(b"\n", b"\r\n"),
    "pairs and returns to line feeds": lambda data: data.replace(b"\r\n", b"\n").replace(b"\r", b"\n"),
    "no line feeds": lambda data: data.replace(b"\n", b""),
    "no line ends": lambda data: data.replace(b"\r", b"").replace(b"\n", b""),
    "no line ends and zeros": lambda data: data.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b""),
}


def rejection(content_type: str, body: bytes) -> RejectedError:
    """Return the rejection of a body."""
    with pytest.raises(RejectedError) as found:
        codecs.decode(content_type, body)
    return found.value


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        (base64.b64encode(JPEG), "base64 text of a JPEG"),
        (base64.encodebytes(JPEG), "base64 text of a JPEG"),
        (base64.urlsafe_b64encode(encoded("PNG")), "base64 text of a PNG"),
        (b'"' + base64.b64encode(encoded("GIF")) + b'"', "base64 text of a GIF"),
        (b"data:image/jpeg;base64," + base64.b64encode(JPEG), "a data: URL"),
        (b"\n\n<!DOCTYPE html><html>", "HTML"),
        (b"<HTML><body>", "HTML"),
        (b'\xef\xbb\xbf<?xml version="1.0"?>', "XML"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (json.dumps({"instances": []}).encode(), "JSON, whose Content-Type is application/json"),
        (b" [1, 2]", "JSON"),
        (b'--x\r\nContent-Disposition: form-data; name="f"\r\n\r\n' + JPEG, "multipart form"),
        (gzip.compress(JPEG), "gzip data, whose Content-Encoding is gzip"),
        (CONVERSIONS["Latin-1 to UTF-8"](JPEG), "converted to text"),
        (CONVERSIONS["replaced in UTF-8"](JPEG), "converted to text"),
        (CONVERSIONS["Latin-1 to UTF-8"](encoded("PNG")), "converted to text"),
        (CONVERSIONS["replaced in UTF-8"](encoded("PNG")), "converted to text"),
        (CONVERSIONS["line feeds to pairs"](encoded("PNG")), "a PNG whose line ends"),
        (CONVERSIONS["pairs and returns to line feeds"](encoded("PNG")), "a PNG whose line ends"),
        (CONVERSIONS["no line ends"](encoded("PNG")), "a PNG whose line ends"),
    ],
    ids=range(20),
)
def test_other_bodies_are_identified(body: bytes, hint: str) -> None:
    """Given text encodings of an image, documents, forms, text-converted images -> 400 that names them."""
    found = rejection(X_IMAGE, body)
    assert (found.status, found.code) == (400, "unsupported_format")
    assert hint in found.message
    assert "--data-binary" in found.message


@pytest.mark.parametrize("conversion", CONVERSIONS)
@pytest.mark.parametrize("kind", imaging.FORMATS)
def test_mangled_image_is_never_decoded(kind: str, conversion: str) -> None:
    """Given an image of each format after each text conversion, alone and in a list -> rejected before decoding."""
    body = CONVERSIONS[conversion](encoded(kind))
    listed = json.dumps({"instances": [{"b64": base64.b64encode(body).decode()}]}).encode()
    named: list[bool] = []
    for content_type, sent in ((X_IMAGE, body), ("application/json", listed), ("image/*", body)):
        try:
            asked = codecs.decode(content_type, sent)
        except RejectedError as found:
            named.append("text conversion" in found.message or "UTF-8" in found.message)
            continue
        # Even its signature is destroyed.
        assert isinstance(asked, Images)
        with pytest.raises(imaging.ImageRejected, match="not an image of a known format"):
            imaging.load_pixels(asked.images[0], (8, 8))
    assert all(named)


@pytest.mark.parametrize("kind", imaging.FORMATS)
def test_images_pass(kind: str) -> None:
    """Given noise and a single colour in each format -> accepted unchanged."""
    file = io.BytesIO()
    Image.new("RGB", (400, 300), (10, 20, 30)).save(file, kind)
    for body in (encoded(kind), file.getvalue()):
        assert codecs.decode(X_IMAGE, body) == Images((body,))


def test_forms_are_rejected_with_the_remedy() -> None:
    """Given an image sent by curl -d, form text, a multipart form -> 415 with --data-binary; an intact image passes."""
    stripped = JPEG.replace(b"\r", b"").replace(b"\n", b"")
    for kind, body in ((FORM, stripped), (FORM, b"image=abc"), ("multipart/form-data; boundary=x", b"--x\r\n")):
        found = rejection(kind, body)
        assert (found.status, found.code) == (415, "unsupported_media_type")
        assert "--data-binary" in found.message
    assert isinstance(codecs.decode(FORM, JPEG), Images)


def test_checks_of_an_image_copy_nothing() -> None:
    """Given a photo of 5 MB -> all checks together allocate a hundredth of it at most."""
    body = JPEG[:-2] + np.random.default_rng(1).bytes(5_000_000)
    tracemalloc.start()
    try:
        codecs.decode(X_IMAGE, body)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < len(body) / 100


@pytest.mark.parametrize(
    "text", [b"photo.jpg", b"https://example.com/photo.jpg\n", b"/opt/ml/photo.jpg", "caf\u00e9".encode()]
)
def test_name_in_the_place_of_an_image_is_shown(text: bytes) -> None:
    """Given a path or an address, as curl -d photo.jpg without @ sends it -> rejected with the text and the command."""
    with pytest.raises(RejectedError) as found:
        codecs.decode(X_IMAGE, text)
    assert f"but the text {text.decode().strip()!r}; allowed: JPEG" in found.value.message
    assert "curl --data-binary @photo.jpg" in found.value.message


@pytest.mark.parametrize(
    ("start", "named"),
    [
        (
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
            "a HEIC image; allowed: JPEG, PNG, WEBP, BMP, GIF. Convert it to JPEG or",
        ),
        (b"%PDF-1.7 ", "a PDF document; allowed: JPEG, PNG, WEBP, BMP, GIF. Convert it to JPEG or PNG."),
        (b"PK\3\4", "a zip archive; allowed: JPEG, PNG, WEBP, BMP, GIF. Give one image."),
        (b"\0\0\0\x18ftypqt  ", "a video; allowed: JPEG, PNG, WEBP, BMP, GIF. Export frames of it"),
    ],
)
def test_file_of_another_format_is_named(start: bytes, named: str) -> None:
    """Given a photo of a phone, a document, an archive, a video -> the rejection says what it is, and what to do."""
    with pytest.raises(imaging.ImageRejected) as found:
        imaging.load_pixels(start + bytes(600), (8, 8))
    assert str(found.value).startswith(f"The bytes are not an image of a known format but {named}")


@pytest.mark.parametrize("text", ["s3://bucket/cat.jpg", "https://example.com/cat.jpg", "/data/cat.jpg"])
def test_address_in_the_place_of_base64_is_shown(text: str) -> None:
    """Given the address of an image in a list -> rejected as an address, with what is expected."""
    with pytest.raises(RejectedError) as found:
        codecs.decode("application/json", json.dumps({"instances": [{"b64": text}]}).encode())
    assert f"{text!r} is an address or a path. Send the bytes of an image file in base64." in found.value.message


def test_long_text_is_recognised_by_its_beginning() -> None:
    """Given a page of prose in UTF-8, also cut within a character -> a text, of which the beginning is shown."""
    page = ("Les photos sont dans le dossier \u00e9t\u00e9.\n" * 100).encode()
    for end in range(1000, 1040):
        with pytest.raises(RejectedError, match="but the text 'Les photos sont dans le dossier \u00e9t\u00e9"):
            codecs.decode(X_IMAGE, page[:end])
