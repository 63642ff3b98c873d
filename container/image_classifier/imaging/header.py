"""Read image headers before any decoder runs: format, size, orientation and decoding cost.

The format follows from the first bytes, never from the name. Reading a header takes linear time, and files whose
decoding would take more than that are rejected here.
Sources: GIF89a section 18; BITMAPCOREHEADER and BITMAPINFOHEADER; the WebP container and VP8 (RFC 6386, section 9.1).
"""

import struct
from dataclasses import dataclass

from image_classifier.contract import file_kinds
from image_classifier.imaging import gif, jpeg, png
from image_classifier.imaging.rejection import EMPTY, TOO_LARGE, UNSUPPORTED, ImageRejected, corrupt

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
"""An allow-list: clients cannot reach any other of Pillow's decoders."""
EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp"})
DEFAULT_MAX_PIXELS = 250_000_000
"""Default limit of width times height: more than the 200 megapixels of the largest phone cameras."""
MAX_RASTER_PIXELS = 1024 * 1024 * 1024 // 4 // 3
"""Limit of decoded pixels after a JPEG's reduction, 89,478,485; also the threshold of Pillow's own warning."""
MAX_SIDE = 65_535
"""Limit of one side, the largest value in a JPEG or GIF header. The memory of a resize filter grows with the side."""
MAX_RUN_LENGTH_PIXELS = 4 * 1024 * 1024
"""Limit for a run-length encoded BMP, which Pillow decodes pixel by pixel in Python."""
_BITMAP_HEADERS = frozenset({12, 40, 52, 56, 64, 108, 124})
"""Lengths in bytes of the BMP headers, which determine the version."""
_RUN_LENGTH = (1, 2)
"""Compression methods of a BMP: runs of 8-bit and of 4-bit pixels."""


@dataclass(frozen=True, slots=True)
class Header:
    """The properties of an image that are known before it is decoded."""

    format: str
    """One of `FORMATS`."""
    size: tuple[int, int]
    """Width and height in pixels, as stored."""
    content: bytes
    """The file without metadata that does not affect pixels, as far as the format allows its removal."""
    pixel_bytes: int
    """Peak memory per pixel: the decoder's raster and its RGB copy."""
    coefficient_bytes: int = 0
    """Additional memory of a JPEG with several scans, at full size."""
    orientation: int | None = 1
    """1 to 8 as in EXIF; None: only the decoder can find the metadata."""
    max_pixels: int = MAX_RASTER_PIXELS
    """Limit of width times height for this variant of the format."""
    has_plain_cmyk: bool = False
    """Whether it is a CMYK JPEG without Adobe's marker."""
    is_ordinary_jpeg: bool = False
    """Whether `libjpeg_turbo` decodes it, from version 2 on; Pillow decodes all others."""

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.size[0] * self.size[1]


def sniff(data: bytes) -> str | None:
    """Return the format, one of `FORMATS`, by the first bytes; None for other content."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(png.SIGNATURE):
        return "PNG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    # The two letters alone would match many texts.
    is_bitmap = data.startswith(b"BM") and int.from_bytes(data[14:18], "little") in _BITMAP_HEADERS
    return "BMP" if is_bitmap else None


def read_header(data: bytes, max_pixels: int = DEFAULT_MAX_PIXELS) -> Header:
    """Read the header of an image and check it against the limits.

    Args:
        data: The file's bytes.
        max_pixels: Limit of width times height; each side is limited to `MAX_SIDE`.

    Raises:
        ImageRejected: The image is empty, of another format, corrupt, too complex, or has too many pixels.
    """
    if not data:
        raise ImageRejected(EMPTY, "The image is empty: 0 bytes. Send the content of an image file.")
    found = sniff(data)
    if found is None:
        raise _unsupported(data)
    try:
        header = _READERS[found](data)
    except (struct.error, IndexError):
        header = None
    if header is None:
        raise corrupt(f"its {found} header cannot be read")
    check_size(header.size, min(max_pixels, header.max_pixels))
    return header


def _unsupported(data: bytes) -> ImageRejected:
    kind = file_kinds.kind_of(data[: file_kinds.HEAD_BYTES])
    what = f" but {kind.name}" if kind else ""
    # What holds many images has a remedy for training data.
    remedy = (
        "Convert it"
        if kind is None
        else "Give one image"
        if kind.holds_data
        else f"{kind.remedy[0].upper()}{kind.remedy[1:]}"
    )
    message = f"The bytes are not an image of a known format{what}; allowed: {', '.join(FORMATS)}. {remedy}."
    return ImageRejected(UNSUPPORTED, message)


def check_size(size: tuple[int, int], max_pixels: int) -> None:
    """Check width and height in pixels.

    Raises:
        ImageRejected: A side is zero or exceeds `MAX_SIDE`, or the product exceeds `max_pixels`.
    """
    width, height = size
    if width * height == 0:
        raise corrupt(f"its header says {width:,} x {height:,} pixels")
    if width * height > max_pixels or max(size) > MAX_SIDE:
        allowed = f"{max_pixels:,} in all, {MAX_SIDE:,} a side"
        message = f"The image has too many pixels: {width:,} x {height:,}; allowed: {allowed}. Send a smaller one."
        raise ImageRejected(TOO_LARGE, message)


def _jpeg(data: bytes) -> Header | None:
    found = jpeg.read(data)
    if found is None:
        return None
    return Header(
        "JPEG",
        found.size,
        found.content,
        pixel_bytes={1: 5, 3: 4}.get(found.components, 8),
        coefficient_bytes=found.coefficient_bytes,
        orientation=found.orientation,
        max_pixels=MAX_SIDE * MAX_SIDE,
        has_plain_cmyk=found.components == 4 and not found.has_adobe_marker,
        is_ordinary_jpeg=found.is_ordinary and min(found.size) >= jpeg.MIN_SIDE,
    )


def _png(data: bytes) -> Header | None:
    found = png.read(data)
    if found is None:
        return None
    # The decoder's raster and its RGB copy; 16-bit grey passes through arrays of 2 and 4 bytes per pixel.
    each = 9 if found.depth == 16 and found.colour_type == 0 else {2: 4, 4: 8, 6: 8}.get(found.colour_type, 5)
    return Header("PNG", found.size, found.content, each, orientation=found.orientation)


def _gif(data: bytes) -> Header:
    found = gif.read(data)
    # Palette index, RGB, and the transparency mask.
    return Header("GIF", found.size, data, 8 if found.is_transparent else 5)


def _bmp(data: bytes) -> Header:
    if struct.unpack_from("<I", data, 14)[0] == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        compression = 0
    else:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    size = abs(width), abs(height)  # a negative height is a raster from top to bottom
    if compression not in _RUN_LENGTH:
        # Bit masks may include alpha.
        return Header("BMP", size, data, {3: 8}.get(compression, 5 if bits <= 8 else 4))
    # A run of one pixel takes two bytes, the end of a row two more. Further bytes only add work.
    raster = struct.unpack_from("<I", data, 10)[0]
    content = data[: raster + 2 * size[0] * size[1] + 4 * size[1] + 1024]
    return Header("BMP", size, content, 8, max_pixels=MAX_RUN_LENGTH_PIXELS)


def _webp(data: bytes) -> Header | None:
    kind = data[12:16]
    if kind == b"VP8X":
        struct.unpack_from("<18x", data, 12)
        size = int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    elif kind == b"VP8L":
        (sides,) = struct.unpack_from("<I", data, 21)
        size = (sides & 0x3FFF) + 1, (sides >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        size = width & 0x3FFF, height & 0x3FFF
    else:
        return None
    # Pillow decodes every WebP as an animation: two RGBA canvases, a copy of one as bytes, and its own raster.
    return Header("WEBP", size, data, 16, orientation=None)


_READERS = {"JPEG": _jpeg, "PNG": _png, "WEBP": _webp, "BMP": _bmp, "GIF": _gif}
