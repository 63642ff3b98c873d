"""WebPs, GIFs and BMPs of few bytes with large canvases, many frames, many blocks.

WebP container: RFC 9649, 2.7; GIF89a, 15 to 26; BMP run lengths: [MS-WMF] 2.2.2.9 and the format's description.
"""

import struct
from random import Random

from PIL import Image

from tests.benchmarks.fuzz.extremes.extreme import Extreme, repeated
from tests.unit.imaging import samples

MOST_BYTES = 1_500_000
_SIDES = (24, 990, 1_010, 9_459, 16_383)
_LOSSLESS = samples.encode(Image.new("RGB", (24, 24), (9, 8, 7)), "WEBP", lossless=True)
_SIZE_AT = 21
"""Of a lossless WebP: 14 bits of width - 1, 14 bits of height - 1. One colour takes as many bytes at any size."""


def webp_large(random: Random) -> Extreme:
    """Make a lossless WebP of one colour: some 40 bytes for up to 268 million pixels."""
    return webp_of_size(random.choice(_SIDES), random.choice(_SIDES))


def webp_of_size(width: int, height: int) -> Extreme:
    """Make a lossless WebP of one colour and of this size."""
    found = bytearray(_LOSSLESS)
    (others,) = struct.unpack_from("<I", found, _SIZE_AT)
    struct.pack_into("<I", found, _SIZE_AT, others >> 28 << 28 | (height - 1) << 14 | width - 1)
    return Extreme(bytes(found))


def webp_canvas(random: Random) -> Extreme:
    """Make an animated WebP of a frame of 4 x 4 on a large canvas."""
    return Extreme(samples.webp_canvas(random.choice(_SIDES), random.choice(_SIDES)))


def webp_frames(random: Random) -> Extreme:
    """Make an animated WebP of many frames."""
    frame = bytes(6) + 2 * (23).to_bytes(3, "little") + bytes(4) + _LOSSLESS[12:]
    side = random.choice(_SIDES) - 1
    canvas = bytes([2, 0, 0, 0]) + 2 * side.to_bytes(3, "little")
    frames = repeated(random, _part(b"ANMF", frame), MOST_BYTES)
    return Extreme(_riff(_part(b"VP8X", canvas) + _part(b"ANIM", bytes(6)) + frames))


def webp_parts(random: Random) -> Extreme:
    """Make an extended WebP with a flood of metadata and unknown parts around its image."""
    canvas = _part(b"VP8X", bytes([random.choice((0, 0x2C, 0x3E)), 0, 0, 0]) + 2 * (23).to_bytes(3, "little"))
    kind = random.choice((b"EXIF", b"XMP ", b"ICCP", b"ALPH", b"abcd", b"VP8L"))
    flood = repeated(random, _part(kind, bytes(random.choice((0, 2, 500)))), MOST_BYTES)
    parts = random.choice((flood + _LOSSLESS[12:], _LOSSLESS[12:] + flood))
    return Extreme(_riff(canvas + parts))


def gif_large(random: Random) -> Extreme:
    """Make a GIF of one colour whose screen and first frame have any size."""
    screen = (random.choice(_SIDES), random.choice(_SIDES))
    return Extreme(samples.gif(*screen, random.choice((screen, (1, 1), (65_535, 65_535)))))


def gif_blocks(random: Random) -> Extreme:
    """Make a GIF with a flood of extensions, of empty frames, or of blocks of one byte."""
    plain = samples.encode(Image.fromarray(samples.PLAIN[:24, :24]).quantize(16), "GIF")
    one = random.choice(
        (
            b"!\xfe\x01c\0",
            b"!\xfe\0",
            b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0",
            b"!\xf9\x04\x05\0\0\0\0",
            b"!\x01\x0c" + bytes(12) + b"\0",
            b"," + struct.pack("<HHHHB", 0, 0, 24, 24, 0) + b"\x02\x02\x44\x01\0",
            b"," + struct.pack("<HHHHB", 0, 0, 24, 24, 0x87) + bytes(768) + b"\x02\x02\x44\x01\0",
            b"\0",
            b"\x01\0",
        )
    )
    # Behind the header and its colours, or before the closing byte.
    at = random.choice((plain.index(b","), len(plain) - 1))
    return Extreme(plain[:at] + repeated(random, one, MOST_BYTES) + plain[at:])


def gif_small_blocks(random: Random) -> Extreme:
    """Make a GIF whose frame is stored in blocks of one byte."""
    side = random.choice((24, 500, 990))
    codes = repeated(random, random.choice((b"\x01\x04", b"\x01\x44", b"\x01\xff")), MOST_BYTES)
    screen = struct.pack("<HHBBB", side, side, 0x80, 0, 0) + bytes(6)
    return Extreme(b"GIF89a" + screen + b"," + struct.pack("<HHHHB", 0, 0, side, side, 0) + b"\x02" + codes + b"\0;")


def bmp_run_lengths(random: Random) -> Extreme:
    """Make a BMP in run lengths: runs, jumps and ends of lines, over a raster of any size."""
    side, bits = random.choice(_SIDES), random.choice((4, 8, 8))
    one = random.choice(
        (b"\xff\x01", b"\x01\x01", b"\0\0", b"\0\x02\xff\xff", b"\0\x02\0\0", b"\0\x03abc\0", b"\0\x01")
    )
    runs, colours = repeated(random, one, MOST_BYTES), bytes(4 * (1 << bits))
    header = struct.pack("<IiiHHIIiiII", 40, side, side, 1, bits, 1 if bits == 8 else 2, len(runs), 0, 0, 1 << bits, 0)
    start = 14 + len(header) + len(colours)
    return Extreme(b"BM" + struct.pack("<IHHI", start + len(runs), 0, 0, start) + header + colours + runs)


def _part(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def _riff(parts: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", len(parts) + 4) + b"WEBP" + parts
