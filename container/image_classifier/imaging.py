"""Bytes to upright RGB pixels of the model's size: the one definition, for training and for serving.

Pillow and NumPy alone. What a file is, its first bytes say, never its name; how large it is, its header says before
any raster exists. No colour profile is applied. Transparency is dropped without blending, as TensorFlow's decoders do
and so the built-in algorithm: a picture with an alpha channel and the same one without get the same answer, and pixels
that cannot be seen keep the colours that the file stores. A GIF stores none for them: they become black, as there. Of
an animation the first frame counts.
"""

import io
from typing import NoReturn

import numpy as np

# Registered by its import: otherwise the first WebP makes Pillow load all of its forty readers.
import PIL.WebPImagePlugin  # noqa: F401
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from image_classifier import picture_header, resampling
from image_classifier.contract.errors import PlatformError, UserError, first_line

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
"""An allow-list: everything else that Pillow can open stays out of reach of what a stranger sends."""
EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp"})
_PILLOW_FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos3": Image.Resampling.LANCZOS,
}
"""Not its nearest: that rounds positions in doubles, and TensorFlow in floats picks other pixels at many sizes."""
RESIZE_METHODS = (*_PILLOW_FILTERS, *resampling.METHODS)
DEFAULT_MAX_PIXELS = 1024 * 1024 * 1024 // 4 // 3
"""89,478,485: a raster of 256 MiB in RGB. Also where Pillow begins to warn; what is larger never gets there."""
MAX_SIDE = 65_535
"""Pixels of one side: what a JPEG's or GIF's header can say at most. A resize filter's memory grows with the side."""
JPEG_MARGIN = 2
"""A JPEG is decoded at a half, a quarter or an eighth only when so many times the target is left, on both sides."""
_BITMAP_HEADERS = frozenset({12, 40, 52, 56, 64, 108, 124})
"""Lengths in bytes of the headers that a BMP can have, which tell its version."""
_ORIENTATION = 0x0112
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


class ImageRejected(UserError):  # noqa: N818 - named for what happened to the picture
    """The bytes are no picture that this program reads. `code` is one of the four below."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


EMPTY, UNSUPPORTED, CORRUPT, TOO_LARGE = "empty", "unsupported_format", "corrupt", "too_many_pixels"


def sniff(data: bytes) -> str | None:
    """Return the format, one of `FORMATS`, by the first bytes; None when it is none of them."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    # Two letters alone would make a bitmap of many a text.
    is_bitmap = data.startswith(b"BM") and int.from_bytes(data[14:18], "little") in _BITMAP_HEADERS
    return "BMP" if is_bitmap else None


def load_pixels(
    data: bytes, size: tuple[int, int], method: str = "bilinear", max_pixels: int = DEFAULT_MAX_PIXELS
) -> NDArray[np.uint8]:
    """Decode a picture to upright RGB, uint8 (height, width, 3), of exactly `size` (height, width) in pixels.

    Resized with antialiasing (nearest and area have none), the aspect ratio is not kept. A large JPEG is decoded at
    a half, a quarter or an eighth, as long as at least twice the target is left; not for nearest, which would pick
    from averages. Safe in many threads; decoding and resizing release Python's lock.

    Args:
        data: The file's bytes.
        size: Height and width in pixels.
        method: One of `RESIZE_METHODS`.
        max_pixels: Width times height that is accepted, at most `DEFAULT_MAX_PIXELS`; no side exceeds `MAX_SIDE`.

    Raises:
        ImageRejected: The bytes are empty, of another format, damaged, or of too many pixels.
        PlatformError: Memory does not suffice for a raster within the limits.
        ValueError: The method is unknown.
    """
    if method not in RESIZE_METHODS:
        raise ValueError(f"resize method {method!r} is none of {', '.join(RESIZE_METHODS)}")
    picture = _open(data, max_pixels)
    try:
        return _upright(picture, size, method)
    except MemoryError as error:
        given = f"{picture.width:,} x {picture.height:,}"
        raise PlatformError(f"Memory does not suffice for a picture of {given} pixels. Allow more of it.") from error
    except Exception as error:  # a decoder fails in whatever way the damage makes it fail
        _reject_damaged(error)


def _open(data: bytes, max_pixels: int) -> Image.Image:
    if not data:
        raise ImageRejected(EMPTY, "The picture is empty: 0 bytes. Send the content of an image file.")
    found = sniff(data)
    if found is None:
        raise ImageRejected(
            UNSUPPORTED,
            f"The bytes are no picture of a known format; allowed: {', '.join(FORMATS)}. Convert it.",
        )
    if stored := picture_header.stored_size(data, found):
        _check_size(stored, max_pixels)
    try:
        picture = Image.open(io.BytesIO(data), formats=[found])
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):  # of a GIF
        raise ImageRejected(TOO_LARGE, _too_large("more in the first frame than in the header", max_pixels)) from None
    except UnidentifiedImageError:
        # Pillow's own sentence names an object of Python.
        _reject_damaged(ValueError(f"its {found} header cannot be read"))
    except Exception as error:  # as above
        _reject_damaged(error)
    _check_size(picture.size, max_pixels)
    return picture


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height == 0:
        _reject_damaged(ValueError(f"its header says {width:,} x {height:,} pixels"))
    if width * height > max_pixels or max(size) > MAX_SIDE:
        raise ImageRejected(TOO_LARGE, _too_large(f"{width:,} x {height:,}", max_pixels))


def _too_large(given: str, limit: int) -> str:
    allowed = f"{limit:,} in all, {MAX_SIDE:,} a side"
    return f"The picture has too many pixels: {given}; allowed: {allowed}. Send a smaller one."


def _reject_damaged(error: Exception) -> NoReturn:
    message = f"The picture is damaged and cannot be decoded: {first_line(error, 120)}. Send it again."
    raise ImageRejected(CORRUPT, message) from error


def _upright(picture: Image.Image, size: tuple[int, int], method: str) -> NDArray[np.uint8]:
    if not isinstance(picture, JpegImageFile):
        # Before the orientation: asked for it, Pillow decodes a PNG, and after a failure there a second try passes.
        picture.load()
    orientation = _orientation(picture)
    turned = orientation >= 5
    height, width = (size[1], size[0]) if turned else size
    if isinstance(picture, JpegImageFile) and method != "nearest":
        picture.draft(None, (JPEG_MARGIN * width, JPEG_MARGIN * height))
    rgb = _rgb(picture)
    if method in _PILLOW_FILTERS:
        # In an order of our own: which side goes first depends on Pillow's version and on the shape, and it shows.
        across = rgb.resize((width, rgb.height), _PILLOW_FILTERS[method])
        resized = across.resize((width, height), _PILLOW_FILTERS[method])
    else:
        resized = Image.fromarray(resampling.resize(np.asarray(rgb), (height, width), method))
    if orientation in _TRANSPOSITIONS:
        resized = resized.transpose(_TRANSPOSITIONS[orientation])
    return np.array(resized, np.uint8)


def _orientation(picture: Image.Image) -> int:
    try:
        found = picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # broken EXIF beside a sound raster: the picture counts as upright
        return 1
    return found if isinstance(found, int) and found in _TRANSPOSITIONS else 1


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):
        # 16-bit grey: Pillow's own conversion saturates at 255. The upper byte is what TensorFlow takes.
        levels = np.clip(np.asarray(picture), 0, 65535).astype(np.uint16) >> 8
        return Image.fromarray(levels.astype(np.uint8)).convert("RGB")
    transparent = picture.info.pop("transparency", None)  # Pillow would warn of what this conversion drops
    # Pillow would copy it, and not let other threads run meanwhile.
    rgb = picture if picture.mode == "RGB" else picture.convert("RGB")
    if picture.format == "GIF" and transparent is not None:
        rgb.paste((0, 0, 0), mask=Image.fromarray(np.asarray(picture) == transparent))
    return rgb
