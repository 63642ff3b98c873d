"""Bytes to upright RGB pixels of the model's size: the one definition, for training and for serving.

Pillow and NumPy alone. What a file is, its first bytes say, never its name; how large it is, its header says before any
raster exists. No colour profile is applied. Transparency is dropped without blending, as TensorFlow's decoders do,
so that a picture with an alpha channel and the same one without get the same answer. Of an animation the first frame
counts.
"""

import io
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from image_classifier import resampling
from image_classifier.contract.errors import UserError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
"""An allow-list: everything else that Pillow can open stays out of reach of what a stranger sends."""
EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp"})
_PILLOW_FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "nearest": Image.Resampling.NEAREST,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos3": Image.Resampling.LANCZOS,
}
RESIZE_METHODS = (*_PILLOW_FILTERS, *resampling.METHODS)
DEFAULT_MAX_PIXELS = 1024 * 1024 * 1024 // 4 // 3
"""89,478,485: a raster of 256 MiB in RGB. Also Pillow's own limit for a warning, which so is never reached."""
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
    return "BMP" if data.startswith(b"BM") else None


def load_pixels(
    data: bytes, size: tuple[int, int], method: str = "bilinear", max_pixels: int = DEFAULT_MAX_PIXELS
) -> NDArray[np.uint8]:
    """Decode a picture to upright RGB, uint8 (height, width, 3), of exactly `size` (height, width) in pixels.

    Resized with antialiasing (nearest and area have none), the aspect ratio is not kept. A large JPEG is decoded at
    a half, a quarter or an eighth, as long as at least twice the target is left.

    Args:
        data: The file's bytes.
        size: Height and width in pixels.
        method: One of `RESIZE_METHODS`.
        max_pixels: Width times height that is accepted, at most `DEFAULT_MAX_PIXELS`.

    Raises:
        ImageRejected: The bytes are empty, of another format, damaged, or of too many pixels.
        ValueError: The method is unknown.
    """
    if method not in RESIZE_METHODS:
        raise ValueError(f"resize method {method!r} is none of {', '.join(RESIZE_METHODS)}")
    picture = _open(data, max_pixels)
    try:
        return _upright(picture, size, method)
    except Exception as error:  # a decoder fails in whatever way the damage makes it fail
        _reject_damaged(error)


def _open(data: bytes, max_pixels: int) -> Image.Image:
    if not data:
        raise ImageRejected(EMPTY, "The picture is empty: 0 bytes. Send the content of an image file.")
    found = sniff(data)
    if found is None:
        raise ImageRejected(
            UNSUPPORTED,
            f"The bytes are no picture of a known format (they begin with {data[:8]!r}); "
            f"allowed: {', '.join(FORMATS)}. Convert it.",
        )
    try:
        picture = Image.open(io.BytesIO(data), formats=[found])
        width, height = picture.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageRejected(TOO_LARGE, _too_large("more", max_pixels)) from None
    except Exception as error:  # as above
        _reject_damaged(error)
    if width * height > max_pixels:
        raise ImageRejected(TOO_LARGE, _too_large(f"{width:,} x {height:,}", max_pixels))
    return picture


def _too_large(given: str, limit: int) -> str:
    return f"The picture has too many pixels: {given}; allowed: {limit:,} in all. Send a smaller one."


def _reject_damaged(error: Exception) -> NoReturn:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0][:120].rstrip(".")
    raise ImageRejected(CORRUPT, f"The picture is damaged and cannot be decoded: {reason}. Send it again.") from error


def _upright(picture: Image.Image, size: tuple[int, int], method: str) -> NDArray[np.uint8]:
    orientation = _orientation(picture)
    turned = orientation >= 5
    height, width = (size[1], size[0]) if turned else size
    if picture.format == "JPEG":
        picture.draft(None, (2 * width, 2 * height))
    rgb = _rgb(picture)
    if method in _PILLOW_FILTERS:
        resized = rgb.resize((width, height), _PILLOW_FILTERS[method])
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
    return found if isinstance(found, int) else 1


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):
        # 16-bit grey: Pillow's own conversion saturates at 255. The upper byte is what TensorFlow takes.
        levels = np.clip(np.asarray(picture), 0, 65535).astype(np.uint16) >> 8
        return Image.fromarray(levels.astype(np.uint8)).convert("RGB")
    return picture.convert("RGB")
