"""Ordinary JPEGs are decoded by libjpeg-turbo's own interface, all others by Pillow, with one outcome."""

import threading
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from image_classifier import imaging
from image_classifier.imaging import jpeg, libjpeg_turbo
from tests.unit.imaging.samples import PLAIN, encode, exif, into_jpeg, photograph, segment, without_adobe_marker

IMAGE = Image.fromarray(PLAIN)
NOISE = np.random.default_rng(2).integers(0, 256, (203, 331, 3), dtype=np.uint8)
ORDINARY: dict[str, dict[str, Any]] = {
    "4:2:0": {},
    "4:2:2": {"subsampling": 1},
    "4:4:4": {"subsampling": 0},
    "4:1:1": {"subsampling": "4:1:1"},
    "progressive": {"progressive": True},
    "coarse": {"quality": 5},
    "restart markers": {"restart_marker_blocks": 3},
    "optimal Huffman codes": {"optimize": True},
    "RGB": {"keep_rgb": True},
    "on its side": {"exif": exif(6)},
    "colour profile": {"icc_profile": bytes(100_000)},
}


def patched(data: bytes, found: bytes, offset: int, value: int) -> bytes:
    """Replace one byte, `offset` bytes behind the first place where something is found."""
    position = data.index(found) + offset
    return data[:position] + bytes([value]) + data[position + 1 :]


def by_pillow(header: imaging.Header, size: tuple[int, int], method: str) -> NDArray[np.uint8]:
    """Decode as if the JPEG were not ordinary."""
    return imaging.decode(replace(header, is_ordinary_jpeg=False), size, method)


@pytest.mark.parametrize("form", ORDINARY)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_ordinary_jpeg_has_pillows_pixels(form: str, mode: str) -> None:
    """Each form of noise, at every reduction and at none, by two methods -> Pillow's pixels, bit for bit."""
    header = imaging.read_header(encode(Image.fromarray(NOISE).convert(mode), "JPEG", **ORDINARY[form]))
    assert header.is_ordinary_jpeg
    for side in (12, 24, 40, 90, 300):
        for method in ("bilinear", "nearest"):
            pixels = imaging.decode(header, (side, side), method)
            assert np.array_equal(pixels, by_pillow(header, (side, side), method))


STAYS_WITH_PILLOW = {
    "CMYK": encode(IMAGE.convert("CMYK"), "JPEG"),
    "CMYK without Adobe's marker": without_adobe_marker(encode(IMAGE.convert("CMYK"), "JPEG")),
    "truncated": encode(PLAIN, "JPEG")[:-2],
    "truncated, progressive": encode(PLAIN, "JPEG", progressive=True)[:-2],
    "small": encode(PLAIN[: jpeg.MIN_SIDE - 1], "JPEG"),
    "another subsampling": patched(encode(PLAIN, "JPEG"), b"\xff\xc0", 14, 0x12),
    "unequal chroma": patched(encode(PLAIN, "JPEG", subsampling=0), b"\xff\xc0", 11, 0x24),
    "arithmetic codes": patched(encode(PLAIN, "JPEG"), b"\xff\xc0", 1, 0xC9),
    "12 bits": patched(encode(PLAIN, "JPEG"), b"\xff\xc0", 4, 12),
    "JFIF of version 2": patched(encode(PLAIN, "JPEG"), b"JFIF", 5, 2),
    "Adobe's marker with an unknown transform": into_jpeg(segment(0xEE, b"Adobe\0\x64\0\0\0\0\x07")),
    "a marker without a segment": into_jpeg(b"\xff\x01"),
    "no JPEG": encode(PLAIN, "PNG"),
}


@pytest.mark.parametrize("form", STAYS_WITH_PILLOW)
def test_other_forms_stay_with_pillow(form: str) -> None:
    """What libjpeg-turbo's interface decodes in another way or not at all -> not ordinary, by the header."""
    assert not imaging.read_header(STAYS_WITH_PILLOW[form]).is_ordinary_jpeg


def test_corrupt_coefficients_are_pillows_business() -> None:
    """An ordinary JPEG with a byte of its raster changed -> None, and Pillow's pixels from outside."""
    data = bytearray(encode(NOISE, "JPEG"))
    data[len(data) // 2 : len(data) // 2 + 40] = bytes(40)
    header = imaging.read_header(bytes(data))
    assert header.is_ordinary_jpeg
    assert libjpeg_turbo.decode(header.content, header.size, 1) is None
    assert np.array_equal(imaging.decode(header, (90, 90), "bilinear"), by_pillow(header, (90, 90), "bilinear"))


def test_many_scans_are_pillows_business() -> None:
    """A progressive JPEG whose scans pass over more than half of the blocks allowed -> not ordinary: no second try."""
    data = encode(Image.new("L", (12_000, 9_000)), "JPEG", progressive=True)
    start = data.index(b"\xff\xda")
    first = data.index(b"\xff\xda", start + 2)
    scan = data[first : data.index(b"\xff", first + 2)]
    header = imaging.read_header(data[:-2] + scan * 20 + b"\xff\xd9")
    assert imaging.read_header(data).is_ordinary_jpeg
    assert not header.is_ordinary_jpeg


@pytest.mark.parametrize("count", [1_000, pytest.param(3_000, marks=pytest.mark.every)])
def test_mutants_have_one_outcome(count: int) -> None:
    """Seeded mutants of ordinary JPEGs -> the same pixels, or the same rejection, with Pillow as without."""
    random = np.random.default_rng(11)
    small = photograph(52, 70)
    sources = [encode(small, "JPEG", **options) for options in ORDINARY.values() if "icc_profile" not in options]
    outcomes = {"pixels": 0, "rejected": 0, "stays": 0}
    for number in range(count):
        mutant = bytearray(sources[number % len(sources)])
        first = mutant.index(b"\xff\xda") if number % 2 else 0
        for _ in range(int(random.integers(1, 6))):
            mutant[int(random.integers(first, len(mutant)))] = int(random.integers(256))
        if number % 7 == 0:
            mutant = mutant[: int(random.integers(len(mutant)))] + mutant[-2:]
        try:
            header = imaging.read_header(bytes(mutant), 1_000_000)
        except imaging.ImageRejected:
            continue
        if not header.is_ordinary_jpeg:
            outcomes["stays"] += 1
            continue
        outcomes[same_outcome(header)] += 1
    assert min(outcomes.values()) > count / 60


def same_outcome(header: imaging.Header) -> str:
    """Decode in both ways, compare, and return the outcome."""
    given, expected = (attempt(each) for each in (header, replace(header, is_ordinary_jpeg=False)))
    if isinstance(expected, str):
        assert given == expected
        return "rejected"
    assert np.array_equal(given, expected)
    return "pixels"


def attempt(header: imaging.Header) -> NDArray[np.uint8] | str:
    """Decode, or return the sentence of the rejection."""
    try:
        return imaging.decode(header, (20, 20), "bilinear")
    except imaging.ImageRejected as rejection:
        return str(rejection)


def test_other_threads_run_while_a_jpeg_is_decoded_and_resized() -> None:
    """A large JPEG decoded by another thread, then resized -> this one counts on: neither keeps the GIL."""
    header = imaging.read_header(encode(np.tile(NOISE, (8, 8, 1)), "JPEG", quality=95))
    done = threading.Event()

    def decode() -> None:
        for _ in range(3):
            imaging.decode(header, (1000, 1000), "lanczos3")
        done.set()

    thread = threading.Thread(target=decode)
    thread.start()
    longest, last = 0.0, time.perf_counter()
    began = last
    while not done.is_set():
        time.sleep(0.001)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    thread.join()
    assert longest < (last - began) / 3
