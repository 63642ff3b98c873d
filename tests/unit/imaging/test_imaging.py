"""Bytes to pixels: every odd picture of the list of faults, and every hostile one."""

import io
import struct
import time
import zlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from image_classifier import imaging

SIZE = (48, 64)


def photograph(height: int = 150, width: int = 211) -> NDArray[np.uint8]:
    """Make a smooth coloured picture, as photographs are."""
    waves = np.random.default_rng(0).normal(0, 1, (height, width, 3)).cumsum(0).cumsum(1)
    waves = (waves - waves.min()) / (waves.max() - waves.min())
    return np.asarray(20 + 200 * waves, np.uint8)


PLAIN = photograph()


def encode(pixels: NDArray[Any] | Image.Image, kind: str, **options: Any) -> bytes:
    """Write a picture into bytes."""
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    """Make a PNG chunk."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, raster: bytes = b"", depth: int = 1) -> bytes:
    """Make a grey PNG with any header over any raster."""
    header = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(raster, 9)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def difference(data: bytes, other: bytes | None = None) -> int:
    """Return the largest difference of a level between a picture and the plain one."""
    expected = imaging.load_pixels(other or encode(PLAIN, "PNG"), SIZE)
    return int(np.abs(imaging.load_pixels(data, SIZE).astype(int) - expected).max())


def with_alpha() -> Image.Image:
    """Give the picture an alpha channel that hides half of it."""
    picture = Image.fromarray(PLAIN).convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    return picture


def exif(orientation: int) -> Image.Exif:
    """Make an EXIF block of one orientation."""
    found = Image.Exif()
    found[0x0112] = orientation
    return found


GREY = Image.fromarray(PLAIN).convert("L")
SAME_PICTURE = {
    "progressive JPEG": (encode(PLAIN, "JPEG", quality=97, progressive=True), 12),
    "CMYK JPEG": (encode(Image.fromarray(PLAIN).convert("CMYK"), "JPEG", quality=97), 12),
    "alpha PNG": (encode(with_alpha(), "PNG"), 0),
    "interlaced PNG": (encode(PLAIN, "PNG", interlace=1), 0),
    "lossless WebP": (encode(PLAIN, "WEBP", lossless=True), 0),
    "lossy WebP": (encode(PLAIN, "WEBP", quality=95), 16),
    "BMP": (encode(PLAIN, "BMP"), 0),
    "animated WebP": (
        encode(PLAIN, "WEBP", lossless=True, save_all=True, append_images=[Image.new("RGB", (211, 150), "red")]),
        0,
    ),
}


@pytest.mark.parametrize("name", SAME_PICTURE)
def test_odd_picture_gives_the_plain_ones_pixels(name: str) -> None:
    """Each odd form of a picture -> the plain picture's pixels, exactly where the form loses nothing."""
    data, tolerance = SAME_PICTURE[name]
    assert difference(data) <= tolerance


@pytest.mark.parametrize("kind", ["PNG", "GIF", "animated GIF"])
def test_palette_gives_the_pixels_of_its_colours(kind: str) -> None:
    """A palette picture, and an animation's first frame -> exactly the pixels of its colours stored plainly."""
    palette = Image.fromarray(PLAIN).quantize(255)
    red = Image.new("RGB", palette.size, "red").quantize(255)
    options = {"save_all": True, "append_images": [red]} if "animated" in kind else {}
    assert difference(encode(palette, kind[-3:], **options), encode(palette.convert("RGB"), "PNG")) == 0


@pytest.mark.parametrize("mode", ["grey", "grey and alpha", "16-bit grey", "palette of greys"])
def test_grey_pictures_are_three_equal_channels(mode: str) -> None:
    """Grey in every depth -> the 8-bit grey picture's pixels in all three channels; 16 bits do not saturate."""
    wide = Image.fromarray((np.asarray(GREY).astype(np.uint16) << 8) + 7)
    forms = {
        "grey": GREY,
        "grey and alpha": Image.merge("LA", (GREY, Image.new("L", GREY.size, 100))),
        "16-bit grey": wide,
        "palette of greys": GREY.quantize(256),
    }
    expected = encode(Image.merge("RGB", (GREY, GREY, GREY)), "PNG")
    assert difference(encode(forms[mode], "PNG"), expected) <= 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(kind: str, orientation: int) -> None:
    """A picture stored in each of the eight orientations -> upright, as if it had been stored so."""
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


def test_broken_exif_counts_as_upright() -> None:
    """An EXIF block of rubbish beside a sound raster -> the picture as it is stored."""
    assert difference(encode(PLAIN, "PNG", exif=b"Exif\0\0rubbish and more rubbish")) == 0


def test_large_jpeg_is_reduced_and_a_small_one_is_not() -> None:
    """A JPEG of many times the target -> close to full decoding; one below twice the target -> equal to it."""
    large = encode(np.asarray(Image.fromarray(PLAIN).resize((1600, 1200))), "JPEG", quality=95)
    with Image.open(io.BytesIO(large)) as picture:
        full = np.asarray(picture.convert("RGB").resize(SIZE[::-1], Image.Resampling.BILINEAR))
    assert np.abs(imaging.load_pixels(large, SIZE).astype(int) - full).max() <= 4
    small = encode(np.asarray(Image.fromarray(PLAIN).resize((120, 90))), "JPEG")
    with Image.open(io.BytesIO(small)) as picture:
        full = np.asarray(picture.convert("RGB").resize(SIZE[::-1], Image.Resampling.BILINEAR))
    assert np.array_equal(imaging.load_pixels(small, SIZE), full)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 20_000), (20_000, 1), (2, 3)])
def test_extreme_shapes_are_answered(height: int, width: int) -> None:
    """A picture of one pixel or of one row -> pixels of the target size in its colour."""
    pixels = imaging.load_pixels(encode(Image.new("RGB", (width, height), (10, 200, 30)), "PNG"), SIZE)
    assert pixels.shape == (*SIZE, 3)
    assert (pixels == (10, 200, 30)).all()


def rejected(data: bytes, **options: Any) -> imaging.ImageRejected:
    """Load what must be refused and return the refusal."""
    with pytest.raises(imaging.ImageRejected) as found:
        imaging.load_pixels(data, SIZE, **options)
    return found.value


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b"no picture at all", "unsupported_format"),
        (b"II*\x00" + bytes(100), "unsupported_format"),
        (b"%PDF-1.7" + bytes(100), "unsupported_format"),
        (encode(PLAIN, "TIFF"), "unsupported_format"),
        (encode(PLAIN, "JPEG")[:-200], "corrupt"),
        (encode(PLAIN, "JPEG")[:30], "corrupt"),
        (encode(PLAIN, "PNG")[:500], "corrupt"),
        (encode(PLAIN, "WEBP")[:300], "corrupt"),
        (encode(PLAIN, "GIF")[:300], "corrupt"),
        (encode(PLAIN, "BMP")[:300], "corrupt"),
        (png(0, 10), "corrupt"),
        (png(10, 0), "corrupt"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_picture_is_refused_with_its_code(data: bytes, code: str) -> None:
    """Empty, other formats, truncated files, zero sizes -> refused by the code, in a sentence."""
    refusal = rejected(data)
    assert refusal.code == code
    assert str(refusal).endswith(".")


def test_bomb_is_refused_by_its_header() -> None:
    """48 KB that unpack to 400 million pixels -> refused within 10 ms, before a raster exists."""
    bomb = png(20_000, 20_000, bytes(20_000 * 2_501))
    assert len(bomb) < 60_000
    started = time.perf_counter()
    assert rejected(bomb).code == "too_many_pixels"
    # A raster of this size takes a second; the bound tells header from raster, not fast from slow.
    assert time.perf_counter() - started < 0.5


def test_pixel_limit_counts_width_times_height() -> None:
    """A picture of 211 x 150 with a limit of one pixel less -> refused with both figures; at the limit -> loaded."""
    data = encode(PLAIN, "PNG")
    refusal = rejected(data, max_pixels=211 * 150 - 1)
    assert refusal.code == "too_many_pixels"
    assert "211 x 150; allowed: 31,649" in str(refusal)
    assert imaging.load_pixels(data, SIZE, max_pixels=211 * 150).shape == (*SIZE, 3)


def test_format_is_decided_by_the_first_bytes() -> None:
    """The beginnings of the five formats -> their names; anything else -> none."""
    for kind in imaging.FORMATS:
        assert imaging.sniff(encode(PLAIN, kind)) == kind
    assert [imaging.sniff(data) for data in (b"", b"RIFF1234WAVE", b"GIF90a", b"text")] == [None] * 4


def test_unknown_resize_method_is_a_mistake_of_the_caller() -> None:
    """A method that nobody declared -> ValueError with the list."""
    with pytest.raises(ValueError, match="none of bilinear, nearest"):
        imaging.load_pixels(encode(PLAIN, "PNG"), SIZE, "sharpest")


def test_mutants_are_answered_or_refused() -> None:
    """2,000 seeded mutants of all formats -> pixels or a refusal, no other exception."""
    noise = np.random.default_rng(7)
    small = np.asarray(Image.fromarray(PLAIN).resize((32, 24)))
    sources = [encode(small, kind) for kind in imaging.FORMATS]
    outcomes = {"pixels": 0, "refused": 0}
    for number in range(2_000):
        mutant = bytearray(sources[number % len(sources)])
        for _ in range(int(noise.integers(1, 8))):
            mutant[int(noise.integers(len(mutant)))] = int(noise.integers(256))
        if number % 7 == 0:
            del mutant[int(noise.integers(len(mutant))) :]
        try:
            assert imaging.load_pixels(bytes(mutant), (8, 8), max_pixels=10_000_000).shape == (8, 8, 3)
            outcomes["pixels"] += 1
        except imaging.ImageRejected:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 100
