"""JPEGs that no encoder writes: floods of scans and segments, wrong EXIF and MPF directories, unusual frames.

Segments, frames and progressive scans: ITU-T T.81, B.1 to B.2 and G.1; EXIF 2.3, 4.6; MPF: CIPA DC-007, 5.
"""

import struct
from collections.abc import Sequence
from random import Random

from tests.benchmarks.fuzz.extremes.extreme import Extreme, repeated
from tests.unit.imaging import samples

MOST_BYTES = 1_500_000
_SIDES = (64, 512, 990, 2_000, 4_096, 16_000)
_SMALL = samples.encode(samples.PLAIN[:24, :24], "JPEG")
_PROGRESSIVE = samples.encode(samples.PLAIN, "JPEG", progressive=True)
_APP1, _COMMENT, _TABLES, _QUANTIZATION, _RESTART, _SCAN = 0xE1, 0xFE, 0xC4, 0xDB, 0xDD, 0xDA
_EXIF = b"Exif\0\0"


def segment(marker: int, content: bytes) -> bytes:
    """Make a segment of at most 65,533 bytes."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def scans(random: Random) -> Extreme:
    """Make a progressive grey JPEG whose scans after the first say nothing: each is a run of empty blocks."""
    return many_scans(random.choice(_SIDES), int(10 ** random.uniform(0.5, 4.3)), last=random.choice((1, 5, 63)))


def many_scans(side: int, count: int, last: int = 1) -> Extreme:
    """Make a square progressive grey JPEG with so many scans of the coefficients 1 to `last`, as far as they fit."""
    one = segment(_SCAN, bytes([1, 1, 0x10, 1, last, 0])) + _empty_blocks(_blocks(side))
    return Extreme(_progressive(side) + one * min(count, MOST_BYTES // len(one)) + b"\xff\xd9")


def empty_scans(random: Random) -> Extreme:
    """Make a JPEG with headers of scans that have no data, in the order of a whole file or before its first scan."""
    source = random.choice((_SMALL, _PROGRESSIVE))
    header = segment(_SCAN, random.choice((bytes([1, 1, 0, 0, 63, 0]), bytes([1, 1, 0, 1, 63, 0x10]))))
    at = random.choice((source.index(b"\xff\xda"), len(source) - 2))
    return Extreme(source[:at] + repeated(random, header, MOST_BYTES) + source[at:])


def refinements(random: Random) -> Extreme:
    """Repeat the scans of a real progressive JPEG."""
    start = _PROGRESSIVE.index(b"\xff\xda")
    return Extreme(_PROGRESSIVE[:-2] + repeated(random, _PROGRESSIVE[start:-2], MOST_BYTES) + b"\xff\xd9")


def segments(random: Random) -> Extreme:
    """Put many segments of one kind before the frame, the scan or the end."""
    one = random.choice(
        (
            segment(_APP1, _EXIF + b"y"),
            segment(_APP1, _EXIF),
            segment(_APP1, b"http://ns.adobe.com/xap/1.0/\0<x/>"),
            segment(0xE2, b"ICC_PROFILE\0\x01\xff" + bytes(8)),
            segment(0xE2, b"MPF\0II*\0\x08\0\0\0\0\0"),
            segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\0"),
            segment(0xEE, b"Adobe\0\x64\0\0\0\0\x01"),
            segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
            segment(_COMMENT, b"c"),
            segment(_COMMENT, b""),
            segment(_QUANTIZATION, bytes([0]) + bytes([1] * 64)),
            segment(_TABLES, bytes([0]) + bytes([1]) + bytes(15) + b"\0"),
            segment(_RESTART, b"\0\x01"),
            b"\xff",
            b"\xff\xd0",
            b"\xff\x01",
        )
    )
    # The same bytes in all: pieces of one size cost otherwise than one large piece and many small ones.
    large = segment(_APP1, _EXIF + bytes(65_000)) * random.choice((0, 0, 1, 10))
    at = random.choice((2, 2, _SMALL.index(b"\xff\xc0"), _SMALL.index(b"\xff\xda"), len(_SMALL) - 2))
    return Extreme(_SMALL[:at] + large + repeated(random, one, MOST_BYTES - len(large)) + _SMALL[at:])


def exif_flood(total: int) -> Extreme:
    """Put EXIF there whose joined size grows with each of its segments: half in few large ones, half in small ones."""
    large, small = segment(_APP1, _EXIF + bytes(65_000)), segment(_APP1, _EXIF + b"y")
    flood = large * (total // 2 // len(large)) + small * (total // 2 // len(small))
    return Extreme(_SMALL[:2] + flood + _SMALL[2:])


def exif(random: Random) -> Extreme:
    """Put an EXIF directory there with odd counts, types and offsets, with loops, or with as many entries as fit."""
    tags = (0x0112, 0x0112, 0x8769, 0x8825, 0xA005, 0x927C, 0x014A, 0x02BC, 0x9286, random.randrange(65_536))
    counts = (0, 1, 2, 3, 255, 65_535, 0x10000000, 0xFFFFFFFF)
    entries = b"".join(
        struct.pack(
            "<HHLL", random.choice(tags), random.randrange(14), random.choice(counts), random.choice((0, 8, 26))
        )
        for _ in range(random.choice((1, 2, 50, 5_000)))
    )
    directory = struct.pack("<H", min(len(entries) // 12, 65_535)) + entries + struct.pack("<L", random.choice((0, 8)))
    block = segment(_APP1, (_EXIF + b"II*\0\x08\0\0\0" + directory)[:65_500])
    return Extreme(_SMALL[:2] + block * random.choice((1, 1, 20)) + _SMALL[2:])


def several_images(random: Random) -> Extreme:
    """Make an MPO: a JPEG whose directory promises many images, of which some may follow."""
    count = random.choice((0, 1, 2, 1_000, 4_000, 0xFFFFFFFF))
    entries = bytes(16) * min(count, 4_000)
    tags = ((0xB000, 7, 4, 0x30303130), (0xB001, 4, 1, count), (0xB002, 7, 16 * count & 0xFFFFFFFF, 50))
    directory = b"".join(struct.pack("<HHLL", *tag) for tag in tags)
    content = b"MPF\0II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + directory + bytes(4) + entries
    whole = _SMALL[:2] + segment(0xE2, content[:65_500]) + _SMALL[2:]
    return Extreme(whole + _SMALL * random.choice((0, 1, 500)))


def frames(random: Random) -> Extreme:
    """Change the frame: sides, components, sampling factors, precision, and the process (lossless, arithmetic)."""
    count = random.choice((1, 3, 4, 255))
    factors = [random.choice((0x11, 0x22, 0x41, 0x44, 0x14, 0x01, 0xFF)) for _ in range(count)]
    components = b"".join(bytes([number & 0xFF, factor, 0]) for number, factor in enumerate(factors, 1))
    sides = (random.choice((1, 8, *_SIDES, 65_500)), random.choice((1, 8, *_SIDES, 65_500)))
    header = struct.pack(">BHHB", random.choice((8, 8, 8, 12, 16)), *sides, count) + components
    process = random.choice((0xC0, 0xC1, 0xC2, 0xC2, 0xC2, 0xC3, 0xC9, 0xCA, 0xCD))
    start, end = _SMALL.index(b"\xff\xc0"), _SMALL.index(b"\xff\xc4")
    scan = segment(_SCAN, bytes([1, 1, 0, 0, 0 if process == 0xC2 else 63, 0]))
    frame = segment(process, header)
    return Extreme(
        _SMALL[:start] + frame + _SMALL[end : _SMALL.index(b"\xff\xda")] + scan + bytes(50_000) + b"\xff\xd9"
    )


def large(random: Random) -> Extreme:
    """Make a JPEG of one grey with long sides and little data: what a legitimate one of its size costs at least."""
    side = random.choice((990, 4_096, 9_459, 16_000))
    return Extreme(_progressive(side) + b"\xff\xd9")


def _progressive(side: int) -> bytes:
    """Return the start of a progressive grey JPEG: its first scan, and a table that has all runs of empty blocks."""
    frame = segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + bytes([1, 0x11, 0]))
    quantization = segment(_QUANTIZATION, bytes([0]) + bytes([1] * 64))
    scan = segment(_SCAN, bytes([1, 1, 0, 0, 0, 0])) + bytes(-(-_blocks(side) // 8))
    return b"\xff\xd8" + quantization + frame + _table(0, [0]) + scan + _table(1, [run << 4 for run in range(15)])


def _blocks(side: int) -> int:
    return ((side + 7) // 8) ** 2


def _table(kind: int, symbols: Sequence[int]) -> bytes:
    """Make a Huffman table in which a symbol's code is its index: of one bit when it is alone, else of eight."""
    counts = [0] * 16
    counts[0 if len(symbols) == 1 else 7] = len(symbols)
    return segment(_TABLES, bytes([kind << 4]) + bytes(counts) + bytes(symbols))


def _empty_blocks(blocks: int) -> bytes:
    """Write a scan's data: runs of 2^n and more blocks that end at once, symbol n with n bits of their number."""
    bits = ""
    while blocks:
        run = min(blocks.bit_length() - 1, 14)
        length = min(blocks, (2 << run) - 1)
        bits += f"{run:08b}" + (f"{length - (1 << run):0{run}b}" if run else "")
        blocks -= length
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
