"""Read the chunks of a PNG in one linear pass, without inflating anything, and drop those that do not affect pixels.

Source: PNG specification, third edition, sections 5.3, 5.4 and 11.
"""

import struct
from dataclasses import dataclass

from image_classifier.imaging import exif
from image_classifier.imaging.rejection import too_complex

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_CHUNKS = 65_536
"""Limit of chunks per file. Encoders write at least 4 KB of raster per chunk, so larger files exceed the body limit."""
_XMP_KEYWORD = b"XML:com.adobe.xmp\0"
_EXIF_KEYWORD = b"Raw profile type exif\0"


@dataclass(frozen=True, slots=True)
class Png:
    """Properties of a PNG from its chunks."""

    size: tuple[int, int]
    """Width and height in pixels."""
    depth: int
    """Bits per sample."""
    colour_type: int
    orientation: int
    content: bytes
    """The file with only its critical chunks; ancillary ones may be corrupt, or inflate to gigabytes."""


def read(data: bytes) -> Png | None:
    """Read the chunks; None if the header is truncated.

    Raises:
        ImageRejected: There are too many chunks.
    """
    try:
        width, height, depth, colour_type = struct.unpack_from(">IIBB", data, 16)
    except struct.error:
        return None
    kept, metadata = _sort(data)
    content = data if not metadata.found else b"".join([data[:8], *(data[start:end] for start, end in kept)])
    return Png((width, height), depth, colour_type, exif.orientation(metadata.exif, metadata.xmp), content)


@dataclass(slots=True)
class _Metadata:
    found: bool = False
    exif: bytes | None = None
    xmp: bytes | None = None


def _sort(data: bytes) -> tuple[list[tuple[int, int]], _Metadata]:
    """Return the byte ranges of the chunks to keep, adjacent ones merged, and the metadata of the others."""
    kept: list[tuple[int, int]] = []
    metadata, profile = _Metadata(), None
    start = position = 8
    chunks = 0
    while position + 8 <= len(data):
        kind = data[position + 4 : position + 8]
        end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        chunks += 1
        if chunks > MAX_CHUNKS:
            raise too_complex("chunks", chunks, MAX_CHUNKS)
        if kind == b"IEND" or not kind.isalpha():
            break
        if kind[0] & 0x20:
            metadata.found = True
            kept.append((start, position))
            start = min(end, len(data))
            profile = _take(metadata, kind, data, position + 8, end - 4) or profile
        position = end
    kept.append((start, len(data)))
    if metadata.exif is None and profile is not None:
        keyword_end, compressed = profile
        metadata.exif = exif.of_text_profile(keyword_end, compressed)
    return kept, metadata


def _take(metadata: _Metadata, kind: bytes, data: bytes, start: int, end: int) -> tuple[bytes, bool] | None:
    """Store metadata that may state an orientation; return a text block with EXIF, and whether it is compressed."""
    if kind == b"eXIf":
        metadata.exif = data[start:end]
    elif kind == b"iTXt" and data.startswith(_XMP_KEYWORD + b"\0", start):
        metadata.xmp = data[start:end]
    elif kind in (b"tEXt", b"zTXt") and data.startswith(_EXIF_KEYWORD, start):
        compressed = kind == b"zTXt"
        return data[start + len(_EXIF_KEYWORD) + compressed : end], compressed
    return None
