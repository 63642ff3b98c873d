"""What a picture's own header says about its size: plain bytes, before any decoder sees them.

Sources: PNG 1.2 section 11.2.2; GIF89a section 18; BITMAPCOREHEADER and BITMAPINFOHEADER; the WebP container and
VP8 (RFC 6386, section 9.1); JPEG (ITU-T T.81, B.2.2).
"""

import struct

_NOT_A_FRAME = frozenset({0xC4, 0xC8, 0xCC})
"""JPEG markers among the start-of-frame ones that are something else: tables, reserved, arithmetic conditioning."""


def stored_size(data: bytes, picture_format: str) -> tuple[int, int] | None:
    """Return width and height in pixels as they are stored; None when the header is cut off or broken.

    Args:
        data: The file's bytes.
        picture_format: One of JPEG, PNG, WEBP, BMP, GIF.
    """
    try:
        return _READERS[picture_format](data)
    except (struct.error, IndexError):
        return None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    position = 2
    while data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # a filling byte
            position += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in _NOT_A_FRAME:
            height, width = struct.unpack_from(">HH", data, position + 5)
            return width, height
        position += 2 + int(struct.unpack_from(">H", data, position + 2)[0])
    return None


def _png(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _gif(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def _bmp(data: bytes) -> tuple[int, int]:
    if struct.unpack_from("<I", data, 14)[0] == 12:
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<ii", data, 18)
    return abs(width), abs(height)  # a negative height is a raster from top to bottom


def _webp(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L":
        (sides,) = struct.unpack_from("<I", data, 21)
        return (sides & 0x3FFF) + 1, (sides >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


_READERS = {"JPEG": _jpeg, "PNG": _png, "WEBP": _webp, "BMP": _bmp, "GIF": _gif}
