"""Bytes to upright RGB pixels, with Pillow and NumPy alone.

No colour profile is applied. Transparency is dropped without blending, as TensorFlow's decoders do
and so the built-in algorithm: an image with an alpha channel and the same one without get the same answer, and pixels
that cannot be seen keep the colours that the file stores. A GIF stores none for them: they become black, as there. Of
an animation the first frame counts. A CMYK JPEG with Adobe's marker stores inverted inks (255: none), one without
stores them as they are (0: none), as in TensorFlow's decoder.
"""

import io

import numpy as np

# Registered by its import: otherwise the first WebP makes Pillow load all of its forty readers.
import PIL.WebPImagePlugin  # noqa: F401
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from image_classifier.contract.errors import PlatformError
from image_classifier.imaging import exif, resampling
from image_classifier.imaging.header import (
    DEFAULT_MAX_PIXELS,
    MAX_RASTER_PIXELS,
    Header,
    check_size,
    read_header,
)
from image_classifier.imaging.rejection import ImageRejected, corrupt

# Sizes are checked before Pillow sees a byte, and its own limit would reject the JPEGs that are decoded reduced.
Image.MAX_IMAGE_PIXELS = None

_PILLOW_FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos3": Image.Resampling.LANCZOS,
}
"""Not its nearest: that rounds positions in doubles, and TensorFlow in floats picks other pixels at many sizes."""
RESIZE_METHODS = (*_PILLOW_FILTERS, *resampling.METHODS)
JPEG_MARGIN = 2
"""A JPEG is decoded at a half, a quarter or an eighth only when so many times the target is left, on both sides."""
_ARRAY_BYTES = 6
"""For each pixel of the raster where NumPy resizes it: the array, and the bytes that it is made from."""
_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF 2.3, tag 0x0112: what turns the stored raster upright. From 5 on height and width change places."""


def load_pixels(
    data: bytes, size: tuple[int, int], method: str = "bilinear", max_pixels: int = DEFAULT_MAX_PIXELS
) -> NDArray[np.uint8]:
    """Read the header of an image and decode it, see `read_header` and `decode`."""
    if method not in RESIZE_METHODS:
        raise ValueError(f"resize method {method!r} is not one of {', '.join(RESIZE_METHODS)}")
    return decode(read_header(data, max_pixels), size, method)


def decode(header: Header, size: tuple[int, int], method: str) -> NDArray[np.uint8]:
    """Decode an image to upright RGB, uint8 (height, width, 3), of exactly `size` (height, width) in pixels.

    Resized with antialiasing (nearest and area have none), the aspect ratio is not kept. A large JPEG is decoded at
    a half, a quarter or an eighth, as long as at least twice the target is left; not for nearest, which would pick
    from averages. Safe in many threads; decoding and resizing release Python's lock.

    Args:
        header: The header, with the file's content.
        size: Height and width in pixels.
        method: One of `RESIZE_METHODS`.

    Raises:
        ImageRejected: The image is corrupt, or has too many pixels even at an eighth.
        PlatformError: There is not enough memory for a raster within the limits.
    """
    check_size(_raster_size(header, size, method), MAX_RASTER_PIXELS)
    try:
        image = Image.open(io.BytesIO(header.content), formats=[header.format])
        if image.size != header.size:
            raise corrupt(f"it states {image.width:,} x {image.height:,} pixels beside those of its header")
        return _upright(image, header, size, method)
    except ImageRejected:
        raise
    except MemoryError as error:
        given = f"{header.size[0]:,} x {header.size[1]:,}"
        message = f"Not enough memory to decode an image of {given} pixels. Use an instance with more memory."
        raise PlatformError(message) from error
    except UnidentifiedImageError as error:
        # Pillow's own sentence names an object of Python.
        raise corrupt(f"its {header.format} header cannot be read") from error
    except Exception as error:  # a decoder fails in whatever way the corruption makes it fail
        raise corrupt(error) from error


def memory_bytes(header: Header, size: tuple[int, int], method: str) -> int:
    """Return the bytes of memory that `decode` takes at its peak with the same arguments, beside the file's content."""
    width, height = _raster_size(header, size, method)
    each = header.pixel_bytes + (0 if method in _PILLOW_FILTERS else _ARRAY_BYTES)
    # The first of two passes of resizing has the target's width (or height, when turned) and the raster's height.
    return width * height * each + header.coefficient_bytes + 4 * max(size) * height


def _raster_size(header: Header, size: tuple[int, int], method: str) -> tuple[int, int]:
    width, height = header.size
    scale = _reduction(header, size, method)
    return -(-width // scale), -(-height // scale)


def _reduction(header: Header, size: tuple[int, int], method: str) -> int:
    """Return by what a JPEG's sides are divided while it is decoded, as Pillow's `draft` chooses it."""
    if header.format != "JPEG" or method == "nearest":
        return 1
    width, height = _stored(header.orientation, size)
    spare = min(header.size[0] // (JPEG_MARGIN * width), header.size[1] // (JPEG_MARGIN * height))
    return next((scale for scale in (8, 4, 2) if spare >= scale), 1)


def _stored(orientation: int | None, size: tuple[int, int]) -> tuple[int, int]:
    """Return the target's width and height as the raster lies."""
    height, width = size
    return (height, width) if orientation is not None and orientation >= 5 else (width, height)


def _upright(image: Image.Image, header: Header, size: tuple[int, int], method: str) -> NDArray[np.uint8]:
    orientation = header.orientation
    if orientation is None:
        orientation = exif.orientation(image.info.get("exif"), image.info.get("xmp"))
    width, height = _stored(orientation, size)
    if isinstance(image, JpegImageFile):
        if method != "nearest":
            image.draft(None, (JPEG_MARGIN * width, JPEG_MARGIN * height))
        if header.has_plain_cmyk:
            image.tile = [tile._replace(args=("CMYK", "")) for tile in image.tile]
    else:
        image.load()
    rgb = _rgb(image)
    if method in _PILLOW_FILTERS:
        # In an order of our own: which side goes first depends on Pillow's version and on the shape, and it shows.
        across = rgb.resize((width, rgb.height), _PILLOW_FILTERS[method])
        resized = across.resize((width, height), _PILLOW_FILTERS[method])
    else:
        resized = Image.fromarray(resampling.resize(np.asarray(rgb), (height, width), method))
    if orientation in _TRANSPOSITIONS:
        resized = resized.transpose(_TRANSPOSITIONS[orientation])
    return np.array(resized, np.uint8)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # 16-bit grey: Pillow's own conversion saturates at 255. The upper byte is what TensorFlow takes.
        levels = np.clip(np.asarray(image), 0, 65535).astype(np.uint16) >> 8
        return Image.fromarray(levels.astype(np.uint8)).convert("RGB")
    transparent = image.info.pop("transparency", None)  # Pillow would warn of what this conversion drops
    # Pillow would copy it, and not let other threads run meanwhile.
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    if image.format == "GIF" and transparent is not None:
        rgb.paste((0, 0, 0), mask=Image.fromarray(np.asarray(image) == transparent))
    return rgb
