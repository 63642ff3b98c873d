"""Encoded images to upright RGB pixels of the model's size: the single definition for training and serving.

`header` determines format, size and decoding cost before any decoder runs; `decoding` produces the pixels. It is
imported when one of its names is first used: with NumPy and Pillow it takes longer than all that reads headers alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from image_classifier.imaging.header import (
    DEFAULT_MAX_PIXELS,
    EXTENSIONS,
    FORMATS,
    MAX_RASTER_PIXELS,
    MAX_SIDE,
    Header,
    read_header,
    sniff,
)
from image_classifier.imaging.rejection import CORRUPT, EMPTY, TOO_COMPLEX, TOO_LARGE, UNSUPPORTED, ImageRejected

if TYPE_CHECKING:
    from image_classifier.imaging.decoding import (
        JPEG_MARGIN,
        RESIZE_METHODS,
        decode,
        load_pixels,
        memory_bytes,
        reduced_size,
        upright_size,
    )

__all__ = [
    "CORRUPT",
    "DEFAULT_MAX_PIXELS",
    "EMPTY",
    "EXTENSIONS",
    "FORMATS",
    "JPEG_MARGIN",
    "MAX_RASTER_PIXELS",
    "MAX_SIDE",
    "RESIZE_METHODS",
    "TOO_COMPLEX",
    "TOO_LARGE",
    "UNSUPPORTED",
    "Header",
    "ImageRejected",
    "decode",
    "load_pixels",
    "memory_bytes",
    "read_header",
    "reduced_size",
    "sniff",
    "upright_size",
]


def __getattr__(name: str) -> object:
    if name in __all__:
        found = getattr(import_module(f"{__name__}.decoding"), name)
        globals()[name] = found
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
