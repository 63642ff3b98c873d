"""The orientation that metadata states, against Pillow's general reader."""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from image_classifier import imaging
from tests.unit.imaging.samples import PLAIN, chunk, encode, exif

SIZE = (30, 40)
XMP = b'<x:xmpmeta xmlns:tiff="http://ns.adobe.com/tiff/1.0/"><rdf:Description tiff:Orientation="%d"/></x:xmpmeta>'


def tiff(order: str, *entries: tuple[int, int, int, bytes]) -> bytes:
    """Make a TIFF structure of one directory: tag, type, count, and the four bytes of the value or its offset."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "L", 8)
    body = b"".join(struct.pack(order + "HHL", *entry[:3]) + entry[3].ljust(4, b"\0") for entry in entries)
    return head + struct.pack(order + "H", len(entries)) + body + bytes(4)


def jpeg_with(*segments: tuple[int, bytes]) -> bytes:
    """Put marker segments into a JPEG, before its own."""
    data = encode(PLAIN, "JPEG")
    parts = [bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content for marker, content in segments]
    return data[:2] + b"".join(parts) + data[2:]


def png_with(*chunks: bytes) -> bytes:
    """Put chunks into a PNG, behind its header."""
    data = encode(PLAIN, "PNG")
    return data[:33] + b"".join(chunks) + data[33:]


def block(turn: int) -> bytes:
    """Return an EXIF block with its prefix."""
    return exif(turn).tobytes()


def raw_profile(content: bytes) -> bytes:
    """Write EXIF as ImageMagick does into text: a name, a length, hexadecimal digits in lines."""
    digits = content.hex().encode()
    lines = b"\n".join(digits[start : start + 72] for start in range(0, len(digits), 72))
    return b"\nexif\n" + str(len(content)).rjust(8).encode() + b"\n" + lines + b"\n"


def orders() -> Iterator[tuple[str, bytes]]:
    """Every type, count and order of a value, odd ones too."""
    for order in "<>":
        for kind, form in {1: "B", 3: "H", 4: "L", 5: "B", 6: "b", 7: "B", 8: "h", 9: "l", 11: "f", 13: "L"}.items():
            for count in (0, 1, 2, 3, 70_000, 0xFFFFFFFF):
                yield (
                    f"{order} type {kind} count {count}",
                    tiff(order, (0x112, kind, count, struct.pack(order + form, 6))),
                )
        make = (0x10F, 2, 3, b"ab\0")
        value = (0x112, 3, 1, struct.pack(order + "H", 8))
        yield f"{order} behind another", tiff(order, make, value)
        yield f"{order} twice", tiff(order, value, (0x112, 3, 1, struct.pack(order + "H", 3)))
        yield f"{order} of no known type first", tiff(order, (0x112, 99, 1, b""), value)
        yield f"{order} out of range", tiff(order, (0x112, 3, 1, struct.pack(order + "H", 9)))
    yield "cut off", tiff("<", (0x112, 3, 1, b"\6"))[:15]
    yield "no directory", b"II*\0" + struct.pack("<L", 5_000)
    yield "neither order", b"XX*\0" + bytes(20)
    yield "nothing", b""


TIFFS = dict(orders())
FILES: dict[str, bytes] = {
    **{
        f"{kind} {turn}": encode(PLAIN, kind, exif=exif(turn))
        for kind in ("JPEG", "PNG", "WEBP")
        for turn in range(1, 9)
    },
    **{f"JPEG {name}": jpeg_with((0xE1, b"Exif\0\0" + content)) for name, content in TIFFS.items()},
    "JPEG in two segments": jpeg_with(*[(0xE1, b"Exif\0\0" + part) for part in (block(6)[6:20], block(6)[20:])]),
    "JPEG prefix twice": jpeg_with((0xE1, b"Exif\0\0" + block(6))),
    "JPEG, XMP": jpeg_with((0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP % 5)),
    "JPEG, XMP twice": jpeg_with(*[(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP % turn) for turn in (5, 7)]),
    "JPEG, EXIF before XMP": jpeg_with((0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP % 5), (0xE1, block(3))),
    "PNG, eXIf twice": png_with(chunk(b"eXIf", block(3)[6:]), chunk(b"eXIf", block(8)[6:])),
    "PNG, XMP": png_with(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP % 7)),
    "PNG, profile": png_with(chunk(b"tEXt", b"Raw profile type exif\0" + raw_profile(block(6)))),
    "PNG, packed profile": png_with(
        chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw_profile(block(6))))
    ),
    "WEBP, XMP": encode(PLAIN, "WEBP", xmp=XMP % 6),
}


def by_pillow(data: bytes) -> int:
    """Return the orientation that Pillow reads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = Image.open(io.BytesIO(data))
        image.load()
        try:
            turn = image.getexif().get(0x112, 1)
        except Exception:
            turn = 1
    return turn if isinstance(turn, int) and 1 <= turn <= 8 else 1


@pytest.mark.parametrize("name", FILES)
def test_orientation_is_the_one_that_pillow_finds(name: str) -> None:
    """EXIF and XMP of every form in JPEG, PNG and WebP -> turned as by Pillow's reader, without a warning."""
    turn = by_pillow(FILES[name])
    plain = encode(PLAIN, imaging.sniff(FILES[name]) or "")
    height, width = SIZE
    lying = imaging.load_pixels(plain, (width, height) if turn >= 5 else SIZE)
    image = Image.fromarray(lying)
    turns = [None, 0, 3, 1, 5, 4, 6, 2]  # Pillow's transpositions by the orientation
    method = turns[turn - 1]
    upright = image if method is None else image.transpose(Image.Transpose(method))
    assert np.array_equal(imaging.load_pixels(FILES[name], SIZE), np.asarray(upright))


def test_forms_differ() -> None:
    """The files above -> all eight orientations among them, so that the comparison can fail."""
    assert {by_pillow(data) for data in FILES.values()} == set(range(1, 9))
