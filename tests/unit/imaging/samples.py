"""Images in bytes for the tests of imaging: small, seeded, and some that no encoder writes."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def photograph(height: int = 150, width: int = 211) -> NDArray[np.uint8]:
    """Make a smooth coloured image, as photographs are."""
    waves = np.random.default_rng(0).normal(0, 1, (height, width, 3)).cumsum(0).cumsum(1)
    waves = (waves - waves.min()) / (waves.max() - waves.min())
    return np.asarray(20 + 200 * waves, np.uint8)


PLAIN = photograph()


def encode(pixels: NDArray[Any] | Image.Image, kind: str, **options: Any) -> bytes:
    """Write an image into bytes."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    image.save(file, kind, **options)
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
    """Give the image an alpha channel that hides half of it."""
    image = Image.fromarray(PLAIN).convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image


def exif(orientation: int) -> Image.Exif:
    """Make an EXIF block of one orientation."""
    found = Image.Exif()
    found[0x0112] = orientation
    return found


def without_adobe_marker(jpeg: bytes) -> bytes:
    """Leave Adobe's marker out of a JPEG."""
    start = jpeg.index(b"\xff\xee")
    return jpeg[:start] + jpeg[start + 2 + int.from_bytes(jpeg[start + 2 : start + 4], "big") :]


def segment(marker: int, content: bytes = b"") -> bytes:
    """Make a JPEG segment."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def into_jpeg(*parts: bytes, before: int = 0xDB) -> bytes:
    """Put segments into a small JPEG, before its first one with the marker `before`."""
    data = encode(PLAIN, "JPEG")
    position = data.index(bytes([0xFF, before]))
    return data[:position] + b"".join(parts) + data[position:]


def into_png(*chunks: bytes, before: bytes = b"IDAT") -> bytes:
    """Put chunks into a PNG, before its first one of the kind `before`."""
    data = encode(PLAIN, "PNG")
    position = data.index(before) - 4
    return data[:position] + b"".join(chunks) + data[position:]


def progressive(side: int, scans: int, components: bytes = b"\1\x11\0") -> bytes:
    """Make a progressive JPEG, by default grey, of one DC scan, then scans of nothing but end-of-band runs.

    `components` are those of the frame, three bytes each: identifier, sampling factors, table. The scans have the one
    with the identifier 1.
    """

    def table(kind: int, symbols: list[int]) -> bytes:
        return segment(0xC4, bytes([kind << 4, *7 * [0], len(symbols), *8 * [0], *symbols]))

    blocks = left = ((side + 7) // 8) ** 2
    bits = ""
    while left:
        size = min(left.bit_length() - 1, 14)
        run = min(left, (2 << size) - 1)
        bits += format(size, "08b") + (format(run - (1 << size), f"0{size}b") if size else "")
        left -= run
    bits += "1" * (-len(bits) % 8)
    entropy = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    frame = segment(0xDB, bytes([0, *64 * [1]])) + segment(
        0xC2, struct.pack(">BHHB", 8, side, side, len(components) // 3) + components
    )
    first = table(0, [0]) + segment(0xDA, bytes([1, 1, 0, 0, 0, 0])) + bytes(blocks)
    more = segment(0xDA, bytes([1, 1, 0, 1, 1, 0])) + entropy
    return b"\xff\xd8" + frame + first + table(1, [size << 4 for size in range(15)]) + more * scans + b"\xff\xd9"
