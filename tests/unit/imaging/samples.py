"""Pictures in bytes for the tests of imaging: small, seeded, and some that no encoder writes."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def photograph(height: int = 150, width: int = 211) -> NDArray[np.uint8]:
    """Make a smooth coloured picture, as photographs are."""
    waves = np.random.default_rng(0).normal(0, 1, (height, width, 3)).cumsum(0).cumsum(1)
    waves = (waves - waves.min()) / (waves.max() - waves.min())
    return np.asarray(20 + 200 * waves, np.uint8)


PLAIN = photograph()


def encode(pixels: NDArray[Any] | Image.Image, kind: str, **options: Any) -> bytes:
    """Write a picture into bytes."""
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    """Make a PNG chunk."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(
    width: int, height: int, raster: bytes = b"", depth: int = 1, colour_type: int = 0, interlace: int = 0
) -> bytes:
    """Make a PNG, grey unless said otherwise, with any header over any raster (each row begins with its filter)."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlace)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(raster, 9)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def rows_of_png(pixels: NDArray[Any]) -> bytes:
    """Write rows of 8 or 16-bit samples as a PNG's raster, unfiltered."""
    samples = pixels.astype(pixels.dtype.newbyteorder(">")).reshape(len(pixels), -1)
    return b"".join(b"\0" + row.tobytes() for row in samples)


def interlaced_png(pixels: NDArray[np.uint8]) -> bytes:
    """Write RGB pixels in the seven passes of Adam7, which Pillow does not write."""
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    raster = b"".join(rows_of_png(pixels[top::down, left::across]) for top, left, down, across in passes)
    return png(pixels.shape[1], pixels.shape[0], raster, depth=8, colour_type=2, interlace=1)


def bmp_header(width: int, height: int) -> bytes:
    """Make a BMP without a raster."""
    return b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, width, height, 1, 24, *[0] * 6)


def gif(width: int, height: int, frame: tuple[int, int] = (1, 1)) -> bytes:
    """Make a GIF of one colour whose screen and frame have any size."""
    screen = struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    return b"GIF89a" + screen + b"," + struct.pack("<HHHHB", 0, 0, *frame, 0) + b"\x02\x02\x44\x01\x00;"


def jpeg_of_size(width: int, height: int) -> bytes:
    """Make a JPEG whose header says another size than it has."""
    data = bytearray(encode(PLAIN, "JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def webp_canvas(width: int, height: int) -> bytes:
    """Make an animated WebP whose canvas has any size, around a frame of 4 x 4."""
    frame = bytes(6) + 2 * (3).to_bytes(3, "little") + bytes(4) + encode(PLAIN[:4, :4], "WEBP", lossless=True)[12:]
    canvas = bytes([2, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    parts = ((b"VP8X", canvas), (b"ANIM", bytes(6)), (b"ANMF", frame))
    content = b"WEBP" + b"".join(kind + struct.pack("<I", len(part)) + part for kind, part in parts)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def with_alpha() -> Image.Image:
    """Give the picture an alpha channel that hides half of it."""
    picture = Image.fromarray(PLAIN).convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    return picture


def exif(orientation: int) -> Image.Exif:
    """Make an EXIF block of one orientation."""
    found = Image.Exif()
    found[0x0112] = orientation
    return found
