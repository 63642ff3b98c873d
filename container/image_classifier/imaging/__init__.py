"""Encoded images to upright RGB pixels of the model's size: the single definition for training and serving.

`header` determines format, size and decoding cost before any decoder runs; `decoding` produces the pixels.
"""

from image_classifier.imaging.decoding import (
    JPEG_MARGIN,
    RESIZE_METHODS,
    decode,
    load_pixels,
    memory_bytes,
    reduced_size,
    upright_size,
)
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
