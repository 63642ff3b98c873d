"""Decode images to upright RGB pixels: ordinary JPEGs by libjpeg-turbo, everything else by Pillow.

Conventions, which match TensorFlow's decoders and therefore the built-in algorithm: colour profiles are ignored. Alpha
is dropped without blending, so invisible pixels keep their stored colours; transparent pixels of a GIF, which stores
none, become black. Of an animation the first frame is used. A CMYK JPEG with Adobe's marker stores inverted inks
(255: none), one without the marker plain inks (0: none).

The pixels of a version never change. A model records the version that it was trained with, and is served with it.
In version 1 Pillow resizes by bilinear, bicubic and lanczos3; in version 2 `fixed_point` does, a level apart at few
pixels.
"""

import io

import numpy as np

# Importing the plugin registers it: otherwise the first WebP makes Pillow load all of its forty readers.
import PIL.WebPImagePlugin  # noqa: F401
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from image_classifier.contract.errors import PlatformError
from image_classifier.contract.imaging_versions import VERSION
from image_classifier.imaging import exif, fixed_point, libjpeg_turbo, resampling
from image_classifier.imaging.header import (
    DEFAULT_MAX_PIXELS,
    MAX_RASTER_PIXELS,
    Header,
    check_size,
    read_header,
)
from image_classifier.imaging.rejection import ImageRejected, corrupt

# Sizes are checked before Pillow runs, and its own limit would reject JPEGs that are decoded at reduced size.
Image.MAX_IMAGE_PIXELS = None

_PILLOW_FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos3": Image.Resampling.LANCZOS,
}
"""Without nearest: Pillow computes positions in float64, TensorFlow in float32, which selects other pixels."""
RESIZE_METHODS = (*_PILLOW_FILTERS, *resampling.METHODS)
JPEG_MARGIN = 2
"""A JPEG is decoded at 1/2, 1/4 or 1/8 only if both sides remain at least this multiple of the target."""
Pixels = NDArray[np.uint8]
_ARRAY_BYTES = 6
"""Per pixel of a raster that NumPy resizes: the array, and the bytes it is created from."""
_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF 2.3, tag 0x0112: transposition that makes the stored raster upright. From 5 on, width and height swap."""


def load_pixels(
    data: bytes,
    size: tuple[int, int],
    method: str = "bilinear",
    max_pixels: int = DEFAULT_MAX_PIXELS,
    version: int = VERSION,
) -> Pixels:
    """Read the header of an image and decode it, see `read_header` and `decode`."""
    if method not in RESIZE_METHODS:
        raise ValueError(f"resize method {method!r} is not one of {', '.join(RESIZE_METHODS)}")
    return decode(read_header(data, max_pixels), size, method, version)


def decode(header: Header, size: tuple[int, int], method: str, version: int = VERSION) -> Pixels:
    """Decode an image to upright RGB, uint8 (height, width, 3), of exactly `size` (height, width) in pixels.

    Resizes with antialiasing (except nearest and area) without preserving the aspect ratio. A large JPEG is decoded
    at 1/2, 1/4 or 1/8 if at least twice the target remains; not for nearest, which would sample averages. Thread-safe;
    decoding and resizing release the GIL.

    Args:
        header: The header, including the file's content.
        size: Height and width in pixels.
        method: One of `RESIZE_METHODS`.
        version: One of `contract.imaging_versions.VERSIONS`.

    Raises:
        ImageRejected: The image is corrupt, or has too many pixels even at 1/8.
        PlatformError: There is not enough memory for an image within the limits.
    """
    check_size(_raster_size(header, size, method), MAX_RASTER_PIXELS)
    try:
        if header.is_ordinary_jpeg:
            raster = libjpeg_turbo.decode(header.content, header.size, _reduction(header, size, method))
            if raster is not None:
                return _upright(raster, header.orientation, size, method, version)
        return _by_pillow(header, size, method, version)
    except ImageRejected:
        raise
    except MemoryError as error:
        given = f"{header.size[0]:,} x {header.size[1]:,}"
        message = f"Not enough memory to decode an image of {given} pixels. Use an instance with more memory."
        raise PlatformError(message) from error
    except UnidentifiedImageError as error:
        # Pillow's own message contains the repr of a Python object.
        raise corrupt(f"its {header.format} header cannot be read") from error
    except Exception as error:  # decoders raise any exception for corrupt data
        raise corrupt(error) from error


def upright_size(header: Header) -> tuple[int, int]:
    """Return height and width in pixels as `decode` shows the image.

    Raises:
        ImageRejected: The decoder, which alone finds the orientation of this format, cannot read the header.
    """
    orientation = header.orientation
    if orientation is None:
        try:
            info = Image.open(io.BytesIO(header.content), formats=[header.format]).info
        except Exception as error:  # decoders raise any exception for corrupt data
            raise corrupt(f"its {header.format} header cannot be read") from error
        orientation = exif.orientation(info.get("exif"), info.get("xmp"))
    width, height = header.size
    return (width, height) if orientation >= 5 else (height, width)


def reduced_size(size: tuple[int, int], longest_side: int) -> tuple[int, int]:
    """Return a height and width in the same proportions, neither above `longest_side`; never enlarged."""
    height, width = size
    scale = min(1.0, longest_side / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def memory_bytes(header: Header, size: tuple[int, int], method: str) -> int:
    """Return the peak memory of `decode` with the same arguments in bytes, without the file's content."""
    width, height = _raster_size(header, size, method)
    each = header.pixel_bytes + (0 if method in _PILLOW_FILTERS else _ARRAY_BYTES)
    # The first of two resizing passes has the target's width (or height, if transposed) and the raster's height.
    return width * height * each + header.coefficient_bytes + 4 * max(size) * height


def _raster_size(header: Header, size: tuple[int, int], method: str) -> tuple[int, int]:
    width, height = header.size
    scale = _reduction(header, size, method)
    return -(-width // scale), -(-height // scale)


def _reduction(header: Header, size: tuple[int, int], method: str) -> int:
    """Return the factor by which a JPEG is reduced during decoding, as Pillow's `draft` chooses it."""
    if header.format != "JPEG" or method == "nearest":
        return 1
    width, height = _stored(header.orientation, size)
    spare = min(header.size[0] // (JPEG_MARGIN * width), header.size[1] // (JPEG_MARGIN * height))
    return next((scale for scale in (8, 4, 2) if spare >= scale), 1)


def _stored(orientation: int | None, size: tuple[int, int]) -> tuple[int, int]:
    """Return the target's width and height in the orientation of the stored raster."""
    height, width = size
    return (height, width) if orientation is not None and orientation >= 5 else (width, height)


def _by_pillow(header: Header, size: tuple[int, int], method: str, version: int) -> Pixels:
    image = Image.open(io.BytesIO(header.content), formats=[header.format])
    if image.size != header.size:
        raise corrupt(f"it also states {image.width:,} x {image.height:,} pixels, unlike its header")
    orientation = header.orientation
    if orientation is None:
        orientation = exif.orientation(image.info.get("exif"), image.info.get("xmp"))
    if isinstance(image, JpegImageFile):
        if method != "nearest":
            width, height = _stored(orientation, size)
            image.draft(None, (JPEG_MARGIN * width, JPEG_MARGIN * height))
        if header.has_plain_cmyk:
            image.tile = [tile._replace(args=("CMYK", "")) for tile in image.tile]
    else:
        image.load()
    return _upright(_rgb(image), orientation, size, method, version)


def _upright(
    raster: Image.Image | Pixels, orientation: int | None, size: tuple[int, int], method: str, version: int
) -> Pixels:
    width, height = _stored(orientation, size)
    resized = _resized(raster, (height, width), method, version)
    if orientation in _TRANSPOSITIONS:
        return np.array(Image.fromarray(resized).transpose(_TRANSPOSITIONS[orientation]), np.uint8)
    return resized


def _resized(raster: Image.Image | Pixels, size: tuple[int, int], method: str, version: int) -> Pixels:
    if method not in _PILLOW_FILTERS:
        return np.ascontiguousarray(resampling.resize(np.asarray(raster), size, method))
    if version > 1:
        return fixed_point.resize(raster, size, method)
    if not isinstance(raster, Image.Image):
        raster = Image.fromarray(raster)
    # In a fixed order: Pillow's own depends on its version and on the shape, and affects the result.
    across = raster.resize((size[1], raster.height), _PILLOW_FILTERS[method])
    return np.array(across.resize(size[::-1], _PILLOW_FILTERS[method]), np.uint8)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # 16-bit grey: Pillow's own conversion saturates at 255. TensorFlow uses the upper byte.
        levels = np.clip(np.asarray(image), 0, 65535).astype(np.uint16) >> 8
        return Image.fromarray(levels.astype(np.uint8)).convert("RGB")
    transparent = image.info.pop("transparency", None)  # otherwise Pillow warns that the conversion drops it
    # Pillow would copy an RGB image, and hold the GIL meanwhile.
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    if image.format == "GIF" and transparent is not None:
        rgb.paste((0, 0, 0), mask=Image.fromarray(np.asarray(image) == transparent))
    return rgb
