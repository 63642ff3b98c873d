"""Files whose cost would grow faster than their bytes or their pixels: answered cheaply, or rejected by a header."""

import contextlib
import struct
import time
import warnings
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from image_classifier import imaging
from image_classifier.imaging import jpeg, png
from tests.unit.imaging.samples import (
    PLAIN,
    bmp_header,
    chunk,
    encode,
    exif,
    gif,
    into_jpeg,
    into_png,
    progressive,
    segment,
)

SIZE = (48, 64)
MEGABYTE = 1024 * 1024


def riff(*parts: tuple[bytes, bytes]) -> bytes:
    """Make a WebP of chunks."""
    content = b"WEBP" + b"".join(
        kind + struct.pack("<I", len(part)) + part + bytes(len(part) % 2) for kind, part in parts
    )
    return b"RIFF" + struct.pack("<I", len(content)) + content


def webp_with(*parts: tuple[bytes, bytes]) -> bytes:
    """Put chunks behind the raster of an extended WebP."""
    raster = encode(PLAIN, "WEBP")[12:]
    canvas = bytes([0x0C, 0, 0, 0]) + struct.pack("<I", 210)[:3] + struct.pack("<I", 149)[:3]
    size = int.from_bytes(raster[4:8], "little")
    return riff((b"VP8X", canvas), (b"VP8 ", raster[8 : 8 + size]), *parts)


def gif_with(blocks: bytes) -> bytes:
    """Put blocks before the frame of a GIF."""
    data = gif(4, 4, (4, 4))
    return data[:19] + blocks + data[19:]


def run_length(width: int, height: int, content: bytes, bits: int = 8) -> bytes:
    """Make a BMP with run-length encoding."""
    first = 54 + 4 * 2**bits
    head = struct.pack(
        "<IHHIIiiHHIIiiII", first, 0, 0, first, 40, width, height, 1, bits, 1 if bits == 8 else 2, *[0] * 5
    )
    return b"BM" + head + bytes(4 * 2**bits) + content


def loop() -> bytes:
    """Make EXIF whose directory points at itself and whose entries have enormous counts."""
    entries = b"".join(struct.pack("<HHLL", tag, 3, 0xFFFFFFFF, 8) for tag in range(0x8000, 0x8000 + 5_000))
    return b"Exif\0\0II*\0" + struct.pack("<LH", 8, 0xFFFF) + entries + struct.pack("<L", 8)


FLOODS: dict[str, Callable[[], bytes]] = {
    "JPEG, Exif": lambda: into_jpeg(segment(0xE1, b"Exif\0\0y") * 130_000),
    "JPEG, large Exif": lambda: into_jpeg(segment(0xE1, b"Exif\0\0" + bytes(65_000)) * 160),
    "JPEG, empty comments": lambda: into_jpeg(segment(0xFE) * 400_000),
    "JPEG, JFIF": lambda: into_jpeg(segment(0xE0, b"JFIF\0") * 150_000),
    "JPEG, Adobe": lambda: into_jpeg(segment(0xEE, b"Adobe") * 150_000),
    "JPEG, quantization tables": lambda: into_jpeg(segment(0xDB, bytes([0, *64 * [1]])) * 20_000),
    "JPEG, Huffman tables": lambda: into_jpeg(segment(0xC4, bytes([0, 1, *15 * [0], 0])) * 60_000, before=0xC4),
    "JPEG, restart intervals": lambda: into_jpeg(segment(0xDD, b"\0\0") * 200_000),
    "JPEG, photoshop": lambda: into_jpeg(segment(0xED, b"Photoshop 3.0\0" + b"8BIM\4\4\0\0\0\0\0\0" * 5_000) * 20),
    "JPEG, filling bytes": lambda: into_jpeg(b"\xff" * MEGABYTE),
    "JPEG, restart markers": lambda: into_jpeg(b"\xff\xd0" * 500_000),
    "JPEG, EXIF that loops": lambda: into_jpeg(segment(0xE1, loop())),
    "JPEG, multi-image index": lambda: into_jpeg(segment(0xE2, b"MPF\0" + loop()[6:])),
    "PNG, text": lambda: into_png(chunk(b"tEXt", b"k\0v") * 70_000),
    "PNG, 60,000 texts": lambda: into_png(chunk(b"tEXt", b"k\0v") * 60_000),
    "PNG, colour profile": lambda: into_png(chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(50 * MEGABYTE)))),
    "PNG, empty raster": lambda: into_png(chunk(b"IDAT", b"") * 70_000),
    "PNG, animation": lambda: into_png(chunk(b"fcTL", bytes(26)) * 50_000),
    "GIF, comments": lambda: gif_with(b"!\xfe\1x\0" * 500_000),
    "GIF, one comment": lambda: gif_with(b"!\xfe" + b"\1x" * 500_000 + b"\0"),
    "GIF, controls": lambda: gif_with(b"!\xf9\4\0\0\0\0\0" * 500_000),
    "GIF, unknown blocks": lambda: gif_with(b"\0" * 500_000),
    "WEBP, chunks": lambda: webp_with(*[(b"JUNK", b"")] * 100_000),
    "WEBP, EXIF": lambda: webp_with(*[(b"EXIF", exif(6).tobytes())] * 20_000),
    "WEBP, EXIF that loops": lambda: webp_with((b"EXIF", loop())),
    "BMP, runs of nothing": lambda: run_length(64, 64, b"\0\2\0\0" * 500_000),
    "BMP, ends of wide rows": lambda: run_length(2_000, 2_000, b"\0\0" * 500_000, bits=4),
    "BMP, many pixels in runs": lambda: run_length(9_000, 9_000, b"\xff\1" * 100_000, bits=4),
}


@pytest.mark.parametrize("name", FLOODS)
def test_flood_costs_little(name: str) -> None:
    """Hundreds of thousands of segments, chunks, blocks or counts -> pixels or a rejection within 1.5 s of CPU."""
    data = FLOODS[name]()
    began = time.process_time()
    with warnings.catch_warnings(), contextlib.suppress(imaging.ImageRejected):
        warnings.simplefilter("error")
        assert imaging.load_pixels(data, SIZE).shape == (*SIZE, 3)
    assert time.process_time() - began < 1.5


@pytest.mark.parametrize(
    "data",
    [into_jpeg(segment(0xE1, b"Exif\0\0y") * jpeg.MAX_SEGMENTS), into_png(chunk(b"tEXt", b"k\0v") * png.MAX_CHUNKS)],
)
def test_too_many_segments_are_told(data: bytes) -> None:
    """One segment or chunk more than the limit beside those of the raster -> rejected with what was counted."""
    with pytest.raises(
        imaging.ImageRejected, match=r"has [0-9,]+ or more (segments|chunks); allowed: [0-9,]+\."
    ) as found:
        imaging.load_pixels(data, SIZE)
    assert found.value.code == "too_complex"


@pytest.mark.parametrize(("side", "scans"), [(64, 600), (4096, 2_000), (4096, 450)])
def test_more_scans_than_pixels_are_worth_are_rejected(side: int, scans: int) -> None:
    """A progressive JPEG of too many scans, or of too many for its size -> rejected before it is decoded."""
    began = time.process_time()
    with pytest.raises(imaging.ImageRejected, match="scans; allowed") as found:
        imaging.load_pixels(progressive(side, scans), SIZE)
    assert found.value.code == "too_complex"
    assert time.process_time() - began < 0.5


def test_scans_count_for_the_largest_of_components_with_one_identifier() -> None:
    """Three components called 1, of which a decoder takes the first and largest -> rejected as its scans alone are."""
    components = b"\1\x44\0" + b"\1\x11\0" * 2
    assert imaging.load_pixels(progressive(64, 3, components), SIZE).shape == (*SIZE, 3)
    began = time.process_time()
    with pytest.raises(imaging.ImageRejected, match="scans; allowed"):
        imaging.load_pixels(progressive(4096, 450, components), SIZE)
    assert time.process_time() - began < 0.5


def test_scans_within_the_limits_are_decoded() -> None:
    """A progressive JPEG of as many scans as are allowed -> its pixels: grey, and all the same."""
    pixels = imaging.load_pixels(progressive(64, jpeg.MAX_SCANS - 1), SIZE)
    assert np.ptp(pixels) == 0


def test_scans_of_a_sequential_jpeg_count_as_well() -> None:
    """A JPEG with a scan a component, not progressive, and 600 empty scans more -> rejected."""
    data = encode(PLAIN, "JPEG")
    scan = segment(0xDA, bytes([1, 1, 0, 0, 63, 0]))
    with pytest.raises(imaging.ImageRejected, match="scans; allowed"):
        imaging.load_pixels(data[: data.index(b"\xff\xda")] + scan * 600 + b"\xff\xd9", SIZE)


@pytest.mark.parametrize("progressive", [False, True])
def test_photograph_of_a_large_camera_is_decoded_reduced(progressive: bool) -> None:
    """A JPEG of 108 megapixels, or 20 progressive ones -> its colour; as PNG it has too many pixels."""
    size = (12_000, 9_000) if not progressive else (5_000, 4_000)
    data = encode(Image.new("RGB", size, (205, 25, 25)), "JPEG", progressive=progressive)
    pixels = imaging.load_pixels(data, SIZE)
    assert np.abs(pixels.astype(int) - (205, 25, 25)).max() <= 2
    header = imaging.read_header(data)
    coefficients = 128 * (size[0] * size[1] * 3 // 2 // 64) if progressive else 0
    assert header.coefficient_bytes == pytest.approx(coefficients, rel=0.01)
    assert imaging.memory_bytes(header, SIZE, "bilinear") < coefficients + 8 * MEGABYTE


def test_reduced_decoding_has_its_limits() -> None:
    """A JPEG of 108 megapixels by a method that needs every pixel, and a header of 300 -> too many pixels."""
    data = bytearray(encode(PLAIN, "JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 9_000, 12_000)
    with pytest.raises(imaging.ImageRejected, match="12,000 x 9,000; allowed: 89,478,485"):
        imaging.load_pixels(bytes(data), SIZE, "nearest")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 15_000, 20_000)
    with pytest.raises(imaging.ImageRejected, match="20,000 x 15,000; allowed: 250,000,000"):
        imaging.load_pixels(bytes(data), SIZE)


def test_second_frame_header_is_rejected() -> None:
    """A JPEG that states two sizes -> corrupt: a decoder might allocate the other one."""
    other = segment(0xC0, struct.pack(">BHHB", 8, 65_500, 65_500, 3) + bytes([1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1]))
    with pytest.raises(imaging.ImageRejected, match="two frame headers"):
        imaging.load_pixels(into_jpeg(other, before=0xC4), SIZE)


UNREAD = {
    "pHYs": into_png(chunk(b"pHYs", bytes(8) + b"\1")[:-4] + b"oops"),
    "iCCP": into_png(chunk(b"iCCP", b"p\0\0" + zlib.compress(b"profile"))[:-4] + b"oops"),
    "large profile": into_png(chunk(b"iCCP", b"p\0\0" + np.random.default_rng(0).bytes(1_100_000))),
    "large XMP": into_png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + bytes(1_500_000))),
    "text behind the raster": into_png(chunk(b"tEXt", b"k\0v")[:-4] + b"oops", before=b"IEND"),
    "animation without frames": into_png(chunk(b"acTL", struct.pack(">II", 0, 0))),
    "animation out of order": into_png(
        chunk(b"acTL", struct.pack(">II", 9, 0)), chunk(b"fcTL", bytes(26)), chunk(b"fdAT", b"\0\0\0\7rubbish")
    ),
    "animation behind the raster": into_png(chunk(b"fdAT", bytes(3)), before=b"IEND"),
    "transparency of no sense": into_png(chunk(b"tRNS", b"x")),
    "gamma cut off": into_png(chunk(b"gAMA", b"")),
    "a chunk of no known kind": into_png(chunk(b"abCd", bytes(100))),
}


@pytest.mark.parametrize("name", UNREAD)
def test_broken_chunks_that_no_pixel_depends_on_cost_no_image(name: str) -> None:
    """A PNG with a wrong checksum or too large content in an ancillary chunk -> the pixels of the plain one."""
    assert np.array_equal(imaging.load_pixels(UNREAD[name], SIZE), imaging.load_pixels(encode(PLAIN, "PNG"), SIZE))


@pytest.mark.parametrize("kind", [b"IHDR", b"PLTE"])
def test_critical_chunks_are_checked(kind: bytes) -> None:
    """A wrong checksum in a critical chunk, with and without an ancillary one beside it -> corrupt."""
    sound = encode(Image.fromarray(PLAIN).quantize(20), "PNG")
    odd = chunk(b"pHYs", bytes(9))[:-4] + b"oops"
    for data in (bytearray(sound), bytearray(sound[:33] + odd + sound[33:])):
        start = data.index(kind)
        length = int.from_bytes(data[start - 4 : start], "big")
        data[start + 4 + length] ^= 1
        with pytest.raises(imaging.ImageRejected, match="corrupt"):
            imaging.load_pixels(bytes(data), SIZE)


def test_metadata_of_a_jpeg_is_left_out() -> None:
    """A JPEG with EXIF, a profile, a comment and the index of further images -> the pixels of the plain one."""
    odd = [segment(marker, bytes(40_000)) for marker in (0xE2, 0xE5, 0xED, 0xEF, 0xFE)]
    data = into_jpeg(segment(0xE2, b"MPF\0II*\0"), segment(0xE1, b"Exif\0\0rubbish"), *odd)
    assert np.array_equal(imaging.load_pixels(data, SIZE), imaging.load_pixels(encode(PLAIN, "JPEG"), SIZE))
    assert len(imaging.read_header(data).content) == len(encode(PLAIN, "JPEG"))


def test_bitmap_in_runs_is_decoded() -> None:
    """A BMP of 8 bits in runs -> its palette's colours."""
    rows = (b"\x40\1\0\0") * 64 + b"\0\1"
    data = bytearray(run_length(64, 64, rows))
    data[54 + 4 : 54 + 8] = bytes([30, 20, 10, 0])
    assert (imaging.load_pixels(bytes(data), SIZE) == (10, 20, 30)).all()
    assert imaging.read_header(bmp_header(5, 7)).size == (5, 7)
