"""Bytes to pixels: every odd image of the list of faults gives the plain image's pixels."""

import io
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from PIL import Image

from image_classifier import imaging
from tests.unit.imaging.samples import PLAIN, encode, exif, interlaced_png, png, rows_of_png, with_alpha

SIZE = (48, 64)


def difference(data: bytes, other: bytes | None = None) -> int:
    """Return the largest difference of a level between an image and the plain one."""
    expected = imaging.load_pixels(other or encode(PLAIN, "PNG"), SIZE)
    return int(np.abs(imaging.load_pixels(data, SIZE).astype(int) - expected).max())


GREY = Image.fromarray(PLAIN).convert("L")
SAME_IMAGE = {
    "progressive JPEG": (encode(PLAIN, "JPEG", quality=97, progressive=True), 12),
    "CMYK JPEG": (encode(Image.fromarray(PLAIN).convert("CMYK"), "JPEG", quality=97), 12),
    "alpha PNG": (encode(with_alpha(), "PNG"), 0),
    "interlaced PNG": (interlaced_png(PLAIN), 0),
    "16-bit PNG": (png(211, 150, rows_of_png(PLAIN.astype(np.uint16) * 257), depth=16, colour_type=2), 0),
    "lossless WebP": (encode(PLAIN, "WEBP", lossless=True), 0),
    "lossy WebP": (encode(PLAIN, "WEBP", quality=95), 16),
    "BMP": (encode(PLAIN, "BMP"), 0),
    "animated WebP": (
        encode(PLAIN, "WEBP", lossless=True, save_all=True, append_images=[Image.new("RGB", (211, 150), "red")]),
        0,
    ),
}


@pytest.mark.parametrize("name", SAME_IMAGE)
def test_odd_image_gives_the_plain_ones_pixels(name: str) -> None:
    """Each odd form of an image -> the plain image's pixels, exactly where the form loses nothing."""
    data, tolerance = SAME_IMAGE[name]
    assert difference(data) <= tolerance


@pytest.mark.parametrize("kind", ["PNG", "GIF", "animated GIF"])
def test_palette_gives_the_pixels_of_its_colours(kind: str) -> None:
    """A palette image, and an animation's first frame -> exactly the pixels of its colours stored plainly."""
    palette = Image.fromarray(PLAIN).quantize(255)
    red = Image.new("RGB", palette.size, "red").quantize(255)
    options = {"save_all": True, "append_images": [red]} if "animated" in kind else {}
    assert difference(encode(palette, kind[-3:], **options), encode(palette.convert("RGB"), "PNG")) == 0


@pytest.mark.parametrize("mode", ["grey", "grey and alpha", "16-bit grey", "palette of greys"])
def test_grey_images_are_three_equal_channels(mode: str) -> None:
    """Grey in every depth -> the 8-bit grey image's pixels in all three channels; 16 bits do not saturate."""
    wide = Image.fromarray((np.asarray(GREY).astype(np.uint16) << 8) + 7)
    forms = {
        "grey": GREY,
        "grey and alpha": Image.merge("LA", (GREY, Image.new("L", GREY.size, 100))),
        "16-bit grey": wide,
        "palette of greys": GREY.quantize(256),
    }
    expected = encode(Image.merge("RGB", (GREY, GREY, GREY)), "PNG")
    assert difference(encode(forms[mode], "PNG"), expected) == 0


def test_sixteen_bit_grey_with_alpha_is_the_grey_image() -> None:
    """16-bit grey beside 16-bit alpha, which Pillow does not write -> the grey image's pixels."""
    wide = np.stack([np.asarray(GREY).astype(np.uint16) * 257, np.full(PLAIN.shape[:2], 999, np.uint16)], axis=2)
    assert difference(png(211, 150, rows_of_png(wide), depth=16, colour_type=4), encode(GREY, "PNG")) == 0


@pytest.mark.parametrize("transparency", [3, bytes(range(200))], ids=["one colour", "every colour"])
def test_transparent_palette_keeps_its_colours(transparency: Any) -> None:
    """A palette PNG with transparent colours -> the pixels of the same one without, and no warning of Pillow's."""
    palette = Image.fromarray(PLAIN).quantize(200)
    assert difference(encode(palette, "PNG", transparency=transparency), encode(palette, "PNG")) == 0


def test_transparent_pixels_of_a_gif_are_black() -> None:
    """A GIF whose colour 3 is transparent -> the image with black there, as TensorFlow decodes it."""
    palette = Image.fromarray(PLAIN).quantize(200)
    expected = np.array(palette.convert("RGB"))
    expected[np.asarray(palette) == 3] = 0
    assert difference(encode(palette, "GIF", transparency=3), encode(expected, "PNG")) == 0


def test_image_of_a_stereo_camera_is_its_first_jpeg() -> None:
    """A JPEG with a second one behind it (MPO) -> the pixels of the first, decoded at reduced scale like it."""
    large = Image.fromarray(PLAIN).resize((1600, 1200))
    both = encode(large, "MPO", save_all=True, append_images=[Image.new("RGB", large.size, "red")])
    assert difference(both, encode(large, "JPEG")) == 0


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(kind: str, orientation: int) -> None:
    """An image stored in each of the eight orientations -> upright, as if it had been stored so."""
    stored = {
        1: PLAIN,
        2: PLAIN[:, ::-1],
        3: PLAIN[::-1, ::-1],
        4: PLAIN[::-1],
        5: PLAIN.transpose(1, 0, 2),
        6: PLAIN.transpose(1, 0, 2)[::-1],
        7: PLAIN.transpose(1, 0, 2)[::-1, ::-1],
        8: PLAIN.transpose(1, 0, 2)[:, ::-1],
    }[orientation]
    choices: dict[str, dict[str, Any]] = {"JPEG": {"quality": 97}, "PNG": {}, "WEBP": {"lossless": True}}
    options = choices[kind]
    assert difference(encode(stored, kind, exif=exif(orientation), **options)) <= (12 if kind == "JPEG" else 1)


@pytest.mark.parametrize("orientation", [0, 9, 65_535])
def test_orientation_that_there_is_none_of_counts_as_upright(orientation: int) -> None:
    """An orientation other than the eight -> the image as it is stored, of the size that was asked for."""
    assert difference(encode(PLAIN, "PNG", exif=exif(orientation))) == 0


def test_broken_exif_counts_as_upright() -> None:
    """An EXIF block of rubbish beside a sound raster -> the image as it is stored."""
    assert difference(encode(PLAIN, "PNG", exif=b"Exif\0\0rubbish and more rubbish")) == 0


def noise(height: int, width: int) -> bytes:
    """Make a JPEG whose neighbouring pixels differ, so that every other way of decoding shows."""
    levels = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return encode(levels, "JPEG", quality=95)


def decoded(data: bytes, reduction: int = 1) -> Image.Image:
    """Decode a JPEG by Pillow alone, at a half, a quarter or an eighth."""
    image = Image.open(io.BytesIO(data))
    image.draft(None, (image.width // reduction, image.height // reduction))
    return image.convert("RGB")


@pytest.mark.parametrize(
    ("times", "missing", "reduction"),
    [(2, 0, 1), (4, 1, 1), (4, 0, 2), (8, 1, 2), (8, 0, 4), (16, 1, 4), (16, 0, 8), (20, 0, 8)],
)
def test_large_jpeg_is_reduced_as_long_as_twice_the_target_is_left(times: int, missing: int, reduction: int) -> None:
    """A JPEG of so many times the target, or a pixel less on one side -> decoded at the reduction that leaves twice."""
    height, width = SIZE
    data = noise(times * height - missing, times * width)
    expected = decoded(data, reduction)
    assert min(expected.height / height, expected.width / width) >= 2
    resized = np.asarray(expected.resize(SIZE[::-1], Image.Resampling.BILINEAR))
    assert np.array_equal(imaging.load_pixels(data, SIZE, version=1), resized)
    assert np.abs(imaging.load_pixels(data, SIZE).astype(int) - resized).max() <= 1


def test_nearest_picks_pixels_of_the_whole_jpeg() -> None:
    """A JPEG of many times the target by `nearest` -> every 16th stored pixel, not averages of a reduced image."""
    data = noise(16 * SIZE[0], 16 * SIZE[1])
    assert np.array_equal(imaging.load_pixels(data, SIZE, "nearest"), np.asarray(decoded(data))[8::16, 8::16])


@pytest.mark.parametrize("method", imaging.RESIZE_METHODS)
def test_many_threads_get_the_pixels_of_one(method: str) -> None:
    """The same images decoded by eight threads at once -> equal to those decoded one after the other."""
    images = [encode(PLAIN[: 40 + 5 * n, : 60 + 7 * n], kind) for n, kind in enumerate(4 * imaging.FORMATS)]
    alone = [imaging.load_pixels(data, SIZE, method) for data in images]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda data: imaging.load_pixels(data, SIZE, method), images))
    assert np.array_equal(alone, together)


def test_pixels_are_an_array_that_its_owner_may_change() -> None:
    """An image by any method -> uint8, C-contiguous, writable."""
    for method in imaging.RESIZE_METHODS:
        pixels = imaging.load_pixels(encode(PLAIN, "PNG", exif=exif(6)), SIZE, method)
        assert pixels.dtype == np.uint8
        assert pixels.flags.c_contiguous
        assert pixels.flags.writeable


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 20_000), (20_000, 1), (2, 3)])
def test_extreme_shapes_are_answered(height: int, width: int) -> None:
    """An image of one pixel or of one row -> pixels of the target size in its colour."""
    pixels = imaging.load_pixels(encode(Image.new("RGB", (width, height), (10, 200, 30)), "PNG"), SIZE)
    assert pixels.shape == (*SIZE, 3)
    assert (pixels == (10, 200, 30)).all()


def test_format_is_decided_by_the_first_bytes() -> None:
    """The beginnings of the five formats -> their names; anything else -> none."""
    for kind in imaging.FORMATS:
        assert imaging.sniff(encode(PLAIN, kind)) == kind
    assert [imaging.sniff(data) for data in (b"", b"RIFF1234WAVE", b"GIF90a", b"text")] == [None] * 4


def test_unknown_resize_method_raises() -> None:
    """Given an undeclared resize method -> ValueError with the list."""
    with pytest.raises(ValueError, match="not one of bilinear, bicubic, lanczos3, nearest"):
        imaging.load_pixels(encode(PLAIN, "PNG"), SIZE, "sharpest")
