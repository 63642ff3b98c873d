"""Thumbnails as data URIs, within a budget of bytes, so that a page stays one file of a few megabytes."""

import base64
import io
from collections.abc import Hashable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from image_classifier import imaging
from image_classifier.contract.errors import PlatformError
from image_classifier.evaluation import occlusion
from image_classifier.evaluation.occlusion import OcclusionMap
from image_classifier.resources.processors import available_processors

Key = TypeVar("Key", bound=Hashable)
SIDE = 96
"""Longest side in pixels."""
MAX_BYTES = 3_500_000
"""Of all data URIs of a page, repeated ones included."""
QUALITY = 72
"""Of WebP: about 2 KB for a photograph."""


@dataclass(frozen=True)
class Thumbnail:
    """A reduced image."""

    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class Request:
    """An image to reduce, and the map to draw over it."""

    path: Path
    overlay: OcclusionMap | None = None
    uses: int = 1
    """How often the page shows it: each time costs its bytes."""


def read(wanted: Mapping[Key, Request], budget: int = MAX_BYTES) -> dict[Key, Thumbnail]:
    """Return thumbnails on all CPUs, in the order of `wanted` until `budget` is used.

    A file that cannot be decoded (any more) has no thumbnail.
    """
    with ThreadPoolExecutor(available_processors()) as pool:
        found = dict(zip(wanted, pool.map(_reduced, wanted.values()), strict=True))
    return dict(_within(found, wanted, budget))


def encode(pixels: NDArray[np.uint8]) -> Thumbnail:
    """Encode pixels (h, w, 3) as WebP in a data URI."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "WEBP", quality=QUALITY, method=2)
    uri = f"data:image/webp;base64,{base64.b64encode(content.getvalue()).decode()}"
    return Thumbnail(uri, pixels.shape[1], pixels.shape[0])


def _within(
    found: Mapping[Key, Thumbnail | None], wanted: Mapping[Key, Request], budget: int
) -> Iterator[tuple[Key, Thumbnail]]:
    for key, thumbnail in found.items():
        if thumbnail is None:
            continue
        budget -= len(thumbnail.uri) * wanted[key].uses
        if budget < 0:
            return
        yield key, thumbnail


def _reduced(request: Request) -> Thumbnail | None:
    try:
        header = imaging.read_header(request.path.read_bytes())
        size = imaging.reduced_size(imaging.upright_size(header), SIDE)
        pixels = imaging.decode(header, size, "bilinear")
    except (OSError, imaging.ImageRejected, PlatformError):
        return None
    return encode(occlusion.overlay(pixels, request.overlay) if request.overlay else pixels)
