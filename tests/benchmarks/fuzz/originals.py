"""The originals of the mutants: every format that an encoder here can write, small and deterministic."""

import io
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from image_classifier.imaging import FORMATS
from tests.unit.imaging import samples

MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F")
_SMALL = (48, 36)
_TURNABLE = ("JPEG", "PNG", "WEBP")


def originals() -> dict[str, bytes]:
    """Return the bytes of each form by its name; what an encoder cannot write is left out."""
    found = {name: data for name, data in _forms() if data is not None}
    pixels = samples.PLAIN[: _SMALL[1], : _SMALL[0]]
    deep = np.asarray(pixels, np.uint16) * 257
    found["PNG interlaced"] = samples.interlaced_png(np.ascontiguousarray(pixels))
    for depth, colour_type, raster in ((16, 2, deep), (16, 0, deep[..., 0]), (8, 2, pixels)):
        rows = samples.rows_of_png(raster)
        found[f"PNG depth {depth} type {colour_type}"] = samples.png(*_SMALL, rows, depth, colour_type)
    return found


def _forms() -> Iterator[tuple[str, bytes | None]]:
    image = Image.fromarray(samples.PLAIN)
    small = image.resize(_SMALL)
    for kind, mode in itertools.product((*FORMATS, "TIFF"), MODES):
        yield f"{kind} {mode}", written(in_mode(small, mode), kind)
    for kind, orientation in itertools.product(_TURNABLE, range(10)):
        yield f"{kind} orientation {orientation}", written(small, kind, exif=samples.exif(orientation))
    for bits in (1, 2, 4):
        yield f"PNG depth {bits}", written(small.quantize(1 << bits), "PNG", bits=bits)
    for quality, subsampling in itertools.product((1, 50, 100), (0, 2)):
        options = {"quality": quality, "subsampling": subsampling}
        yield f"JPEG quality {quality}/{subsampling}", written(image, "JPEG", **options)
        yield f"JPEG progressive {quality}/{subsampling}", written(image, "JPEG", progressive=True, **options)
    yield "JPEG restart markers", written(image, "JPEG", restart_marker_rows=1)
    others = [small.rotate(90), small.convert("L").convert("RGB"), small.resize((7, 50))]
    for kind in ("GIF", "PNG", "WEBP"):
        yield f"{kind} animated", written(small, kind, save_all=True, append_images=others[:2])
    yield "GIF animated, other sizes", written(small, "GIF", save_all=True, append_images=others)
    yield "WEBP lossless", written(image, "WEBP", lossless=True)
    for kind in ("PNG", "GIF"):
        yield f"{kind} transparent", written(small.quantize(20), kind, transparency=3)
    for size in ((1, 1), (1, 600), (600, 1)):
        yield f"PNG {size[0]}x{size[1]}", written(image.resize(size), "PNG")


def in_mode(image: Image.Image, mode: str) -> Image.Image:
    """Return a colour image in one of `MODES`."""
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L"), np.uint16) * 257)
    return image.convert("L").convert(mode) if mode in ("I", "F", "LA") else image.convert(mode)


def written(image: Image.Image, kind: str, **options: Any) -> bytes | None:
    """Write an image into bytes, None when the format has no such images."""
    file = io.BytesIO()
    try:
        image.save(file, kind, **options)
    except (OSError, KeyError, ValueError):
        return None
    return file.getvalue()
