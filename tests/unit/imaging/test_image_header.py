"""What a header says about the size, read without a decoder."""

import io
from typing import Any

import pytest
from PIL import Image

from image_classifier import imaging
from tests.unit.imaging.samples import PLAIN, bmp_header, encode, exif, interlaced_png, webp_canvas, with_alpha

FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "baseline": ("JPEG", {}),
    "progressive with EXIF": ("JPEG", {"progressive": True, "exif": exif(6)}),
    "colour profile": ("JPEG", {"icc_profile": bytes(200_000)}),
    "plain": ("PNG", {}),
    "lossy": ("WEBP", {}),
    "lossless": ("WEBP", {"lossless": True}),
    "extended": ("WEBP", {"exif": exif(3)}),
    "bitmap": ("BMP", {}),
    "still": ("GIF", {}),
}


def stored_size(data: bytes, kind: str) -> tuple[int, int] | None:
    """Return the size that the header states; None when it is rejected as corrupt."""
    assert imaging.sniff(data) in (kind, None)
    try:
        return imaging.read_header(data, max_pixels=2**40).size
    except imaging.ImageRejected as rejected:
        return None if rejected.code in ("corrupt", "unsupported_format", "empty") else (0, 0)


@pytest.mark.parametrize("form", FORMS)
def test_size_is_what_the_decoder_finds(form: str) -> None:
    """An image of 211 x 150 in every form of header -> these figures, as Pillow finds them too."""
    kind, options = FORMS[form]
    data = encode(PLAIN, kind, **options)
    assert stored_size(data, kind) == Image.open(io.BytesIO(data)).size == (211, 150)


def test_other_headers_are_read_as_well() -> None:
    """An alpha channel, interlacing, an animation's canvas, a BMP from top to bottom -> their sizes."""
    assert stored_size(encode(with_alpha(), "WEBP"), "WEBP") == (211, 150)
    assert stored_size(interlaced_png(PLAIN), "PNG") == (211, 150)
    assert stored_size(webp_canvas(1_300, 65_535), "WEBP") == (1_300, 65_535)
    assert stored_size(bmp_header(5, -7), "BMP") == (5, 7)


def test_filling_bytes_before_a_marker_are_skipped() -> None:
    """A JPEG with filling bytes between its segments -> its size."""
    data = encode(PLAIN, "JPEG")
    frame = data.index(b"\xff\xc0")
    assert stored_size(data[:frame] + b"\xff\xff\xff" + data[frame:], "JPEG") == (211, 150)


@pytest.mark.parametrize(("kind", "complete"), [("PNG", 26), ("GIF", 790), ("BMP", 34), ("WEBP", 30)])
def test_cut_off_header_has_no_size(kind: str, complete: int) -> None:
    """A header cut off anywhere -> nothing until the size is complete, then the size."""
    data = encode(PLAIN, kind)
    assert {stored_size(data[:length], kind) for length in range(complete)} == {None}
    assert stored_size(data[:complete], kind) == (211, 150)


def test_jpeg_without_a_frame_has_no_size() -> None:
    """A JPEG cut off before its frame, or with rubbish there -> nothing."""
    data = encode(PLAIN, "JPEG")
    frame = data.index(b"\xff\xc0")
    assert {stored_size(data[:length], "JPEG") for length in range(frame + 9)} == {None}
    assert stored_size(data[:frame] + bytes(20), "JPEG") is None


def test_unknown_chunk_of_a_webp_has_no_size() -> None:
    """A WebP that begins with a chunk of no known name -> nothing."""
    data = encode(PLAIN, "WEBP")
    assert stored_size(data.replace(b"VP8 ", b"VP9 ", 1), "WEBP") is None
