"""PNGs with chunks that inflate to large sizes, with floods of chunks, and with oversized rasters.

Chunks: PNG 1.2, section 4; animations: APNG 1.0 (fcTL, fdAT).
"""

import struct
import zlib
from functools import cache
from random import Random

from tests.benchmarks.fuzz.extremes.extreme import Extreme, repeated
from tests.unit.imaging import samples

MOST_BYTES = 1_500_000
_MEGABYTE = 1 << 20
_SIGNATURE_AND_HEADER, _END = 33, 12
_SMALL = samples.encode(samples.PLAIN[:24, :24], "PNG")


def inflating_chunks(random: Random) -> Extreme:
    """Put chunks there whose compressed text or profile inflates to up to 512 MB."""
    packed = zeros(random.choice((1, 4, 64, 512)) * _MEGABYTE)
    one = random.choice(
        (
            samples.chunk(b"zTXt", b"k\0\0" + packed),
            samples.chunk(b"iCCP", b"k\0\0" + packed),
            samples.chunk(b"iTXt", b"k\0\x01\0\0\0" + packed),
            samples.chunk(b"iTXt", b"XML:com.adobe.xmp\0\x01\0\0\0" + packed),
        )
    )
    return _with(random, one * random.choice((1, 2, 3)))


def chunk_flood(random: Random) -> Extreme:
    """Put as many chunks of one kind there as fit, small or large."""
    kinds = (
        *(b"tEXt", b"zTXt", b"iTXt", b"IDAT", b"fdAT", b"fcTL", b"tRNS", b"PLTE", b"eXIf", b"iCCP", b"acTL", b"vpAg"),
        *(b"gAMA", b"cHRM", b"pHYs", b"sRGB", b"IHDR", b"IEND", b"JDAT", b"abcd"),
    )
    content = random.choice((b"", b"k\0v", b"k\0\0" + zlib.compress(b"v"), bytes(26), bytes(1_000)))
    return _with(random, repeated(random, samples.chunk(random.choice(kinds), content), MOST_BYTES))


def surplus_raster(random: Random) -> Extreme:
    """Let the raster's data inflate to more than its rows: up to 1 GB behind an image of 24 x 24."""
    at, end = _SMALL.index(b"IDAT") - 4, len(_SMALL) - _END
    # No filter, black: 24 rows of zeros and what follows them.
    return Extreme(
        _SMALL[:at] + samples.chunk(b"IDAT", zeros(random.choice((1, 64, 1_024)) * _MEGABYTE)) + _SMALL[end:]
    )


def large(random: Random) -> Extreme:
    """Make a PNG of one colour with many pixels: any depth, colour and interlacing."""
    depth, colour_type, channels = random.choice(((1, 0, 1), (8, 0, 1), (16, 0, 1), (8, 2, 3), (16, 2, 3), (16, 6, 4)))
    side = random.choice((990, 1_010, 4_000))
    return Extreme(_black(side, depth, colour_type, channels, interlaced=random.random() < 0.3))


def animation(random: Random) -> Extreme:
    """Make an APNG that promises many frames and has some, of any size."""
    count = random.choice((0, 1, 1_000, 0x7FFFFFFF))
    control = struct.pack(">IIIIIHHBB", 0, random.choice((24, 20_000)), 24, 0, 0, 1, 10, 0, 0)
    frame = samples.chunk(b"fcTL", control) + samples.chunk(b"fdAT", bytes(4) + zlib.compress(bytes(2_000)))
    head, tail = _SMALL[:_SIGNATURE_AND_HEADER], _SMALL[_SIGNATURE_AND_HEADER:-_END]
    promised = samples.chunk(b"acTL", struct.pack(">II", count, 0))
    return Extreme(head + promised + tail + repeated(random, frame, MOST_BYTES) + _SMALL[-_END:])


@cache
def zeros(count: int) -> bytes:
    """Return zeros, whole MB of 2^20, as a zlib stream (RFC 1950): in equal blocks, so that a GB is made quickly."""
    compressor = zlib.compressobj(9)
    block = compressor.compress(bytes(_MEGABYTE)) + compressor.flush(zlib.Z_FULL_FLUSH)
    # Of zeros alone Adler-32's first sum stays 1, and its second is their number.
    checksum = struct.pack(">I", count % 65_521 << 16 | 1)
    return block[:2] + block[2:] * (count // _MEGABYTE) + b"\x03\0" + checksum


@cache
def _black(side: int, depth: int, colour_type: int, channels: int, interlaced: bool) -> bytes:
    # Seven passes have some bytes more than one: a row of each has a filter's byte of its own.
    raster = bytes(side * (side * depth * channels // 8 + 1) + (4 * side if interlaced else 0))
    return samples.png(side, side, raster, depth, colour_type, interlace=int(interlaced))


def _with(random: Random, chunks: bytes) -> Extreme:
    at = random.choice((_SIGNATURE_AND_HEADER, len(_SMALL) - _END, len(_SMALL)))
    return Extreme(_SMALL[:at] + chunks + _SMALL[at:])
