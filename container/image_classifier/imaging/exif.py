"""Read the orientation from EXIF or XMP metadata, without a general TIFF parser.

Bounded by design: a single pass over one directory, no offset is followed twice, and at most `_PROFILE_BYTES` are
inflated. A general parser such as Pillow's follows every tag and warns about each invalid one.
Sources: EXIF 2.32 section 4.6.4; TIFF 6.0 section 2; XMP specification part 2, section 3.2.
"""

import re
import struct
import zlib

ORIENTATION_TAG = 0x0112
_INTEGERS = {3: "H", 4: "L", 6: "b", 8: "h", 9: "l", 13: "L"}
"""TIFF field types of integers, and their `struct` formats."""
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')
_PREFIX = b"Exif\0\0"
_PROFILE_BYTES = 256 * 1024
"""Limit of an inflated text block with EXIF in hexadecimal digits: twice what 64 KB of EXIF, JPEG's limit, need."""


def orientation(exif: bytes | None, xmp: bytes | None = None) -> int:
    """Return the orientation, 1 to 8, from EXIF, else from XMP, else 1 (upright).

    Args:
        exif: A TIFF structure, with or without the prefix `Exif`.
        xmp: An XMP packet.
    """
    found = _of_exif(exif) if exif else None
    if found is None and xmp and (stated := _XMP_ORIENTATION.search(xmp)):
        found = int(stated[1])
    return found if found is not None and 1 <= found <= 8 else 1


def of_text_profile(text: bytes, compressed: bool) -> bytes | None:
    """Return the EXIF bytes of a PNG text block as ImageMagick writes it: three lines, then hexadecimal digits."""
    try:
        if compressed:
            text = zlib.decompressobj().decompress(text, _PROFILE_BYTES)
        return bytes.fromhex(b"".join(text.split(b"\n")[3:]).decode("ascii"))
    except (zlib.error, ValueError):
        return None


def _of_exif(exif: bytes) -> int | None:
    start = 0
    while start < 2 * len(_PREFIX) and exif.startswith(_PREFIX, start):
        start += len(_PREFIX)
    order = {b"II": "<", b"MM": ">"}.get(exif[start : start + 2])
    if order is None or len(exif) < start + 8:
        return None
    first = start + struct.unpack_from(order + "L", exif, start + 4)[0]
    if first + 2 > len(exif):
        return None
    (count,) = struct.unpack_from(order + "H", exif, first)
    entries = exif[first + 2 : first + 2 + 12 * count]
    for tag, kind, values, content in struct.iter_unpack(order + "HHL4s", entries[: len(entries) // 12 * 12]):
        if tag == ORIENTATION_TAG and kind in _INTEGERS and values:
            form = order + _INTEGERS[kind]
            if values * struct.calcsize(form) <= 4:
                return int(struct.unpack_from(form, content)[0])
            at = start + struct.unpack(order + "L", content)[0]
            if at + values * struct.calcsize(form) <= len(exif):
                return int(struct.unpack_from(form, exif, at)[0])
    return None
