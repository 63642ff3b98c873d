"""Read a GIF up to its first frame: one linear pass over its blocks.

Source: GIF89a, sections 17 to 26.
"""

import struct
from dataclasses import dataclass

from image_classifier.imaging.rejection import corrupt, too_complex

MAX_BLOCKS = 65_536
"""Limit of extension blocks before the first frame, of up to 255 bytes each: 16 MB of comments and metadata."""
_EXTENSION, _FRAME, _TRAILER = 0x21, 0x2C, 0x3B
_CONTROL = 0xF9


@dataclass(frozen=True, slots=True)
class Gif:
    """Properties of a GIF's first frame."""

    size: tuple[int, int]
    """Width and height in pixels of the logical screen, or of the first frame where that is larger."""
    is_transparent: bool


def read(data: bytes) -> Gif:
    """Read the logical screen and the blocks before the first frame.

    Raises:
        ImageRejected: There is no frame, or there are too many blocks before it.
        IndexError, struct.error: The file is truncated before its first frame.
    """
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    position = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    is_transparent, blocks = False, 0
    while True:
        kind = data[position]
        if kind == _FRAME:
            left, top, across, down = struct.unpack_from("<HHHH", data, position + 1)
            return Gif((max(width, left + across), max(height, top + down)), is_transparent)
        if kind == _TRAILER:
            raise corrupt("it has no frame")
        blocks += 1
        if kind == _EXTENSION:
            if data[position + 1] == _CONTROL and data[position + 2]:
                is_transparent = is_transparent or bool(data[position + 3] & 1)
            position += 2
            while length := data[position]:
                position += 1 + length
                blocks += 1
                if blocks > MAX_BLOCKS:
                    break
        position += 1
        if blocks > MAX_BLOCKS:
            raise too_complex("blocks before the first frame", blocks, MAX_BLOCKS)
