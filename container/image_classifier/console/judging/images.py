"""Images of a result, reduced for a page, with the occlusion map of the job where there is one."""

import io
import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from image_classifier import imaging
from image_classifier.contract.errors import PlatformError
from image_classifier.evaluation import occlusion
from image_classifier.evaluation.occlusion import OcclusionMap

SMALL, LARGE = 160, 640
"""Longest side in pixels, in a gallery and alone."""
MOST_BYTES, MOST_MEMORY = 64 * 2**20, 96 * 2**20
"""Of a file, and of decoding it: the console as a whole stays small."""
_QUALITY, _METHOD = 78, "bilinear"
_decoders = threading.BoundedSemaphore(2)


def reduced(path: Path, side: int, overlay: OcclusionMap | None = None) -> bytes | None:
    """Return an image as WebP of at most `side` pixels a side; None if it cannot be shown."""
    try:
        with _decoders:
            if path.stat().st_size > MOST_BYTES:
                return None
            return _encoded(_decoded(path.read_bytes(), side), overlay)
    except (OSError, imaging.ImageRejected, PlatformError):
        return None


def _decoded(data: bytes, side: int) -> NDArray[np.uint8] | None:
    header = imaging.read_header(data)
    size = imaging.reduced_size(imaging.upright_size(header), side)
    if imaging.memory_bytes(header, size, _METHOD) > MOST_MEMORY:
        return None
    return imaging.decode(header, size, _METHOD)


def _encoded(pixels: NDArray[np.uint8] | None, overlay: OcclusionMap | None) -> bytes | None:
    if pixels is None:
        return None
    content = io.BytesIO()
    Image.fromarray(occlusion.overlay(pixels, overlay) if overlay else pixels).save(
        content, "WEBP", quality=_QUALITY, method=2
    )
    return content.getvalue()
