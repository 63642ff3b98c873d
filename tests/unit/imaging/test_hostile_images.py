"""What is not an image, or too much of one: rejected by a code, cheaply, and by no other exception."""

import os
import subprocess
import sys
import time
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from image_classifier import imaging
from tests.unit.imaging.samples import (
    PLAIN,
    bmp_header,
    chunk,
    encode,
    exif,
    gif,
    jpeg_of_size,
    png,
    webp_canvas,
)

SIZE = (48, 64)


def rejected(data: bytes, **options: Any) -> imaging.ImageRejected:
    """Load what must be rejected and return the rejection."""
    with pytest.raises(imaging.ImageRejected) as found:
        imaging.load_pixels(data, SIZE, **options)
    return found.value


def run(program: str, path: Path) -> str:
    """Run a program about `path` in a process of its own and return what it prints."""
    container = Path(imaging.__file__).parents[2]
    command = [sys.executable, "-W", "error", "-c", program, str(path)]
    environment = {**os.environ, "PYTHONPATH": str(container)}
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b"no image at all", "unsupported_format"),
        (b"II*\x00" + bytes(100), "unsupported_format"),
        (b"%PDF-1.7" + bytes(100), "unsupported_format"),
        (encode(PLAIN, "TIFF"), "unsupported_format"),
        (encode(PLAIN, "JPEG")[:-200], "corrupt"),
        (encode(PLAIN, "JPEG")[:30], "corrupt"),
        (encode(PLAIN, "PNG")[:500], "corrupt"),
        (encode(PLAIN, "WEBP")[:300], "corrupt"),
        (encode(PLAIN, "GIF")[:300], "corrupt"),
        (encode(PLAIN, "BMP")[:300], "corrupt"),
        (b"\xff\xd8\xff\xe0" + bytes(50), "corrupt"),
        (b"BM is how this text begins", "unsupported_format"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_image_is_rejected_with_its_code(data: bytes, code: str) -> None:
    """Empty, other formats, truncated files, zero sizes -> rejected by the code, in a sentence."""
    rejection = rejected(data)
    assert rejection.code == code
    assert str(rejection).endswith(".")
    assert "object at" not in str(rejection)


@pytest.mark.parametrize("position", range(3, 20))
def test_damaged_raster_of_a_png_is_rejected(position: int) -> None:
    """A small PNG with one byte of its raster changed -> rejected, although a second try at decoding it passes."""
    data = bytearray(encode(PLAIN[:48, :64], "PNG"))
    data[len(data) * position // 20] ^= 0x55
    assert rejected(bytes(data)).code == "corrupt"


@pytest.mark.parametrize("kind", imaging.FORMATS)
def test_every_truncation_is_rejected(kind: str) -> None:
    """A small image cut off anywhere in its first nine tenths -> rejected, whatever its format."""
    data = encode(PLAIN[:48, :64], kind)
    for length in range(32, len(data) * 9 // 10, 7):
        assert rejected(data[:length]).code == "corrupt"


ZERO = {
    "PNG": png(0, 10),
    "PNG without height": png(10, 0),
    "BMP": bmp_header(0, 10),
    "GIF": gif(0, 0, (0, 0)),
    "JPEG": jpeg_of_size(0, 5),
}


@pytest.mark.parametrize("kind", ZERO)
def test_header_without_pixels_is_rejected(kind: str) -> None:
    """A width or height of zero in a header -> rejected as corrupt, with what the header says."""
    rejection = rejected(ZERO[kind])
    assert rejection.code == "corrupt"
    assert "its header says" in str(rejection)


BOMBS = {
    # 400 million pixels in 48 KB, of which every byte can be decoded.
    "PNG": png(20_000, 20_000, bytes(20_000 * 2_501)),
    "just too large": png(10_000, 10_000),
    "JPEG": jpeg_of_size(65_500, 65_500),
    "BMP": bmp_header(30_000, -30_000),
    "GIF": gif(60_000, 60_000),
    "GIF in the frame": gif(1, 1, (60_000, 60_000)),
    "WEBP": webp_canvas(16_383, 16_383),
    # Pixels enough for one side of a filter of Pillow's that takes gigabytes.
    "one row": png(80_000_000, 1, bytes(10_000_001)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bomb_is_rejected_by_its_header(name: str) -> None:
    """A few KB that would unpack to gigabytes -> rejected within 10 ms, as too large, with no warning of Pillow's."""
    assert len(BOMBS[name]) < 60_000
    seconds = []
    for _ in range(3):  # the machine may be busy with something else at one of them
        started = time.perf_counter()
        rejection = rejected(BOMBS[name])
        assert rejection.code == "too_many_pixels"
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < 0.01


GROWTH = """
import pathlib, resource, sys
from image_classifier import imaging
bombs = [path.read_bytes() for path in sorted(pathlib.Path(sys.argv[1]).iterdir())]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
codes = []
for bomb in bombs:
    try:
        imaging.load_pixels(bomb, (48, 64))
    except imaging.ImageRejected as rejection:
        codes.append(rejection.code)
print(len(codes), set(codes), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def test_bombs_take_no_memory(tmp_path: Path) -> None:
    """All bombs, one after the other, in a process of their own -> its peak of memory grows by less than 10 MB."""
    for name, bomb in BOMBS.items():
        (tmp_path / name).write_bytes(bomb)
    rejected, codes, growth = run(GROWTH, tmp_path).split()
    assert (int(rejected), codes) == (len(BOMBS), "{'too_many_pixels'}")
    assert float(growth) < 10


@pytest.mark.parametrize("times", [1, 100])
@pytest.mark.parametrize("keyword", [b"comment", b"Raw profile type exif"])
def test_text_in_a_png_that_unpacks_to_much_is_left_packed(times: int, keyword: bytes) -> None:
    """Compressed text of 100 MB, in one chunk or in a hundred, inside a sound PNG -> its pixels, in little memory."""
    text = chunk(b"zTXt", keyword + b"\0\0" + zlib.compress(bytes(100_000_000 // times), 9))
    sound = encode(PLAIN, "PNG")
    tracemalloc.start()
    try:
        pixels = imaging.load_pixels(sound[:33] + times * text + sound[33:], SIZE)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert np.array_equal(pixels, imaging.load_pixels(sound, SIZE))


SHORTAGE = """
import resource, sys
from image_classifier import imaging
from image_classifier.imaging import decoding
from image_classifier.contract.errors import PlatformError
in_use = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (in_use + 60_000_000,) * 2)
try:
    imaging.load_pixels(open(sys.argv[1], "rb").read(), (48, 64))
except PlatformError as error:
    print(error)
"""


def test_shortage_of_memory_is_not_the_images_fault(tmp_path: Path) -> None:
    """A sound image in a process that may not take enough memory -> a PlatformError, not a rejection as corrupt."""
    (tmp_path / "large.png").write_bytes(encode(Image.new("RGB", (7_000, 6_000)), "PNG", compress_level=1))
    answer = run(SHORTAGE, tmp_path / "large.png")
    assert answer.startswith("Not enough memory to decode an image of 7,000 x 6,000 pixels.")


def test_pixel_limit_counts_width_times_height() -> None:
    """An image of 211 x 150 with a limit of one pixel less -> rejected with both figures; at the limit -> loaded."""
    data = encode(PLAIN, "PNG")
    rejection = rejected(data, max_pixels=211 * 150 - 1)
    assert rejection.code == "too_many_pixels"
    assert "211 x 150; allowed: 31,649 in all" in str(rejection)
    assert imaging.load_pixels(data, SIZE, max_pixels=211 * 150).shape == (*SIZE, 3)


def test_long_side_is_rejected() -> None:
    """An image of one row and one pixel more than a side may have -> rejected; at the limit -> loaded."""
    assert rejected(encode(Image.new("L", (imaging.MAX_SIDE + 1, 1)), "PNG")).code == "too_many_pixels"
    longest = encode(Image.new("L", (imaging.MAX_SIDE, 1)), "PNG")
    for method in imaging.RESIZE_METHODS:
        assert imaging.load_pixels(longest, SIZE, method).shape == (*SIZE, 3)


@pytest.mark.parametrize("count", [2_500, pytest.param(10_000, marks=pytest.mark.every)])
def test_mutants_are_answered_or_rejected(count: int) -> None:
    """Seeded mutants of all formats, EXIF among them -> pixels or a rejection, no other exception."""
    random = np.random.default_rng(7)
    small = Image.fromarray(PLAIN).resize((32, 24))
    sources = [encode(small, kind) for kind in imaging.FORMATS]
    sources += [encode(small, kind, exif=exif(6)) for kind in ("JPEG", "PNG", "WEBP")]
    sources += [encode(small.quantize(20), kind, transparency=3) for kind in ("PNG", "GIF")]
    outcomes = dict.fromkeys(("pixels", "empty", "unsupported_format", "corrupt", "too_many_pixels", "too_complex"), 0)
    for number in range(count):
        mutant = bytearray(sources[number % len(sources)])
        for _ in range(int(random.integers(1, 8))):
            mutant[int(random.integers(len(mutant)))] = int(random.integers(256))
        if number % 7 == 0:
            del mutant[int(random.integers(len(mutant))) :]
        method = imaging.RESIZE_METHODS[number % 8]
        try:
            assert imaging.load_pixels(bytes(mutant), (8, 8), method, max_pixels=1_000_000).shape == (8, 8, 3)
            outcomes["pixels"] += 1
        except imaging.ImageRejected as rejection:
            outcomes[rejection.code] += 1
    assert min(outcomes["pixels"], outcomes["corrupt"], outcomes["unsupported_format"]) > count / 100
    assert outcomes["too_many_pixels"] > count / 1_000
