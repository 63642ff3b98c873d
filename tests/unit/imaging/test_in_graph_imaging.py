"""The twin inside a TensorFlow graph against ours, for every format, method and odd form."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from image_classifier import imaging
from image_classifier.imaging import resampling
from image_classifier.training.data.in_graph_imaging import decode_and_resize
from tests.unit.imaging.samples import (
    PLAIN,
    encode,
    exif,
    interlaced_png,
    png,
    rows_of_png,
    webp_canvas,
    with_alpha,
    without_adobe_marker,
)

SIZE = (100, 120)
ROUNDING = dict.fromkeys(imaging.RESIZE_METHODS, 0) | dict.fromkeys(("area", *resampling.KERNELS), 1)
"""Levels. The five whose sums are floats may round a half to the other side; nothing else differs, for any format:
the libjpeg, libpng and libwebp of Pillow 13 and of TensorFlow 2.21 decode to the same pixels."""

IMAGE = Image.fromarray(PLAIN)
GREY = IMAGE.convert("L")
PALETTE = IMAGE.quantize(200)
RED = Image.new("RGB", IMAGE.size, "red")
FORMS = {
    "JPEG": encode(PLAIN, "JPEG", quality=90),
    "JPEG, progressive": encode(PLAIN, "JPEG", quality=90, progressive=True),
    "JPEG, all colours": encode(PLAIN, "JPEG", subsampling=0),
    "JPEG, CMYK": encode(IMAGE.convert("CMYK"), "JPEG"),
    "JPEG, CMYK without Adobe's marker": without_adobe_marker(encode(IMAGE.convert("CMYK"), "JPEG")),
    "JPEG, grey": encode(GREY, "JPEG"),
    "PNG": encode(PLAIN, "PNG"),
    "PNG, interlaced": interlaced_png(PLAIN),
    "PNG, grey": encode(GREY, "PNG"),
    "PNG, black and white": encode(IMAGE.convert("1"), "PNG"),
    "PNG, grey and alpha": encode(IMAGE.convert("LA"), "PNG"),
    "PNG, alpha": encode(with_alpha(), "PNG"),
    "PNG, one transparent colour": encode(PLAIN, "PNG", transparency=(1, 2, 3)),
    "PNG, palette": encode(PALETTE, "PNG"),
    "PNG, transparent palette": encode(PALETTE, "PNG", transparency=bytes(range(200))),
    "PNG, 16-bit grey": png(211, 150, rows_of_png(np.asarray(GREY).astype(np.uint16) * 256 + 200), depth=16),
    "PNG, 16-bit": png(211, 150, rows_of_png(PLAIN.astype(np.uint16) * 256 + 200), depth=16, colour_type=2),
    "WEBP": encode(PLAIN, "WEBP"),
    "WEBP, lossless": encode(PLAIN, "WEBP", lossless=True),
    "WEBP, alpha": encode(with_alpha(), "WEBP"),
    "WEBP, alpha, lossless": encode(with_alpha(), "WEBP", lossless=True),
    "WEBP, EXIF": encode(PLAIN, "WEBP", exif=exif(1)),
    "BMP": encode(PLAIN, "BMP"),
    "BMP, 32 bits": encode(with_alpha(), "BMP"),
    "BMP, grey": encode(GREY, "BMP"),
    "BMP, palette": encode(PALETTE, "BMP"),
    "GIF": encode(PALETTE, "GIF"),
    "GIF, transparent": encode(PALETTE, "GIF", transparency=3),
    "GIF, animated": encode(PALETTE, "GIF", save_all=True, append_images=[RED]),
}


def apart(twin: Any, data: bytes, size: tuple[int, int], method: str) -> int:
    """Return the largest difference of a level between the twin's pixels and ours."""
    pixels = twin.numpy()
    assert pixels.dtype == np.uint8
    return int(np.abs(imaging.load_pixels(data, size, method).astype(int) - pixels).max())


@pytest.mark.parametrize("form", FORMS)
def test_twin_gives_our_pixels_for_every_form(form: str) -> None:
    """Each still form of an image, and an animation's first frame, through the graph -> exactly our pixels."""
    assert apart(decode_and_resize(tf.constant(FORMS[form]), SIZE, "bilinear"), FORMS[form], SIZE, "bilinear") == 0


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.every)], ids=["some forms", "every form"])
@pytest.mark.parametrize("method", imaging.RESIZE_METHODS)
def test_twin_knows_every_method(method: str, step: int) -> None:
    """Each method, up and down, small and large files, inside a mapped graph function -> our pixels, but for a half."""
    size = (60, 250)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)])  # type: ignore[untyped-decorator, unused-ignore]
    def many(encoded: Any) -> Any:
        return tf.map_fn(
            lambda one: decode_and_resize(one, size, method),
            encoded,
            fn_output_signature=tf.TensorSpec((*size, 3), tf.uint8),
        )

    files = list(FORMS.values())[::step]
    for twin, data in zip(many(tf.constant(files)), files, strict=True):
        assert apart(twin, data, size, method) <= ROUNDING[method]


@pytest.mark.parametrize("method", imaging.RESIZE_METHODS)
@pytest.mark.parametrize("times", [1, 2, 4, 7.9, 8, 16.1])
def test_large_jpeg_is_reduced_in_the_twin_as_in_ours(method: str, times: float) -> None:
    """A JPEG of white noise, so many times the target -> our pixels, whatever the reduction."""
    size = (30, 40)
    shape = (int(size[0] * times), int(size[1] * times) + 3, 3)
    data = encode(np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8), "JPEG", quality=90)
    assert apart(decode_and_resize(tf.constant(data), size, method), data, size, method) <= ROUNDING[method]


class Twin(tf.Module):  # type: ignore[misc, unused-ignore]
    """The twin alone, as a module that can be saved."""

    @tf.function(input_signature=[tf.TensorSpec((), tf.string)])  # type: ignore[untyped-decorator, unused-ignore]
    def pixels(self, encoded: Any) -> Any:
        """Decode one file."""
        return decode_and_resize(encoded, SIZE, "lanczos3")


def test_twin_survives_being_saved(tmp_path: Path) -> None:
    """The twin saved as a SavedModel and loaded again -> our pixels for every form, of a known shape."""
    tf.saved_model.save(Twin(), str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path)).pixels
    assert loaded.get_concrete_function().output_shapes == (*SIZE, 3)
    assert max(apart(loaded(data), data, SIZE, "lanczos3") for data in FORMS.values()) == 0


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"BM",
        b"RIFF",
        b"RIFF\0\0\0\0WEBPVP8X",
        b"no image at all",
        encode(PLAIN, "PNG")[:500],
        encode(PLAIN, "JPEG")[:500],
        encode(PLAIN, "WEBP")[:300],
        webp_canvas(8, 8),
        encode(PLAIN, "WEBP", save_all=True, append_images=[RED]),
        encode(with_alpha(), "WEBP", save_all=True, append_images=[RED.convert("RGBA")]),
        encode(IMAGE.convert("1"), "BMP"),
    ],
    ids=range(12),
)
def test_what_tensorflow_cannot_decode_is_an_error_of_the_call(data: bytes) -> None:
    """Corrupt files, animated WebP, a BMP of one bit -> InvalidArgumentError, and the process lives."""
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode_and_resize(tf.constant(data), SIZE, "bilinear")


def test_twin_does_not_turn_a_image() -> None:
    """A JPEG whose EXIF block says that it lies on its side -> stored as it is in the twin, upright in ours."""
    lying = encode(PLAIN, "JPEG", exif=exif(6))
    twin = decode_and_resize(tf.constant(lying), SIZE, "bilinear")
    assert apart(twin, encode(PLAIN, "JPEG"), SIZE, "bilinear") == 0
    assert apart(twin, lying, SIZE, "bilinear") > 50


def test_marker_of_a_cmyk_jpeg_matters() -> None:
    """The same CMYK values with and without Adobe's marker -> inverted inks, so that one rule must be chosen."""
    marked, bare = FORMS["JPEG, CMYK"], FORMS["JPEG, CMYK without Adobe's marker"]
    apart = imaging.load_pixels(marked, SIZE).astype(int) - imaging.load_pixels(bare, SIZE)
    assert np.abs(apart).max() > 50
