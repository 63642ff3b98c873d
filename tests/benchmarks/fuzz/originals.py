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
    found |= unusual_jpegs(found["JPEG RGB"])
    return found


def unusual_jpegs(data: bytes) -> dict[str, bytes]:
    """Return a JPEG whose frame header states forms that no encoder here writes; their rasters do not match it."""
    at = data.index(b"\xff\xc0")
    edits = {
        "JPEG extended": (1, 0xC1),
        "JPEG lossless": (1, 0xC3),
        "JPEG arithmetic codes": (1, 0xC9),
        "JPEG arithmetic, progressive": (1, 0xCA),
        "JPEG of 12 bits": (4, 12),
        "JPEG extended of 12 bits": (4, 12),
        "JPEG unusual subsampling": (11, 0x14),
    }
    found = {name: data[: at + by] + bytes([value]) + data[at + by + 1 :] for name, (by, value) in edits.items()}
    twelve = found["JPEG extended of 12 bits"]
    found["JPEG extended of 12 bits"] = twelve[: at + 1] + b"\xc1" + twelve[at + 2 :]
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
    yield "JPEG 4:1:1", written(image, "JPEG", subsampling="4:1:1")
    yield "JPEG of RGB", written(image, "JPEG", keep_rgb=True)
    yield "JPEG colour profile", written(image, "JPEG", icc_profile=bytes(100_000))
    yield "JPEG progressive CMYK", written(image.convert("CMYK"), "JPEG", progressive=True)
    yield "JPEG reduced", written(image.resize((400, 300)), "JPEG")
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
