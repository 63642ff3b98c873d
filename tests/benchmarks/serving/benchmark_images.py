"""The photographs of the requests: six at the size of a phone's thumbnail, and four enlarged to 12 megapixels."""

import io
from pathlib import Path

from PIL import Image, ImageOps

from tests.support import named_photographs

SMALL, MIDDLE, LARGE = (533, 400), (640, 480), (4000, 3000)
"""Width and height."""
LARGE_ONES = 4
QUALITY = 90


def write_small(folder: Path) -> list[Path]:
    """Write the photographs of two packages as JPEGs of 533 x 400 pixels and return their paths."""
    return _write(folder, SMALL, sorted(named_photographs.IN_WHEELS))


def write_middle(folder: Path) -> list[Path]:
    """Write the photographs as JPEGs of 640 x 480 pixels and return their paths."""
    return _write(folder, MIDDLE, sorted(named_photographs.IN_WHEELS))


def write_large(folder: Path) -> list[Path]:
    """Write some of them enlarged to 4000 x 3000 pixels and return their paths."""
    return _write(folder, LARGE, sorted(named_photographs.IN_WHEELS)[:LARGE_ONES])


def _write(folder: Path, size: tuple[int, int], names: list[str]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for name in names:
        with Image.open(io.BytesIO(named_photographs.of_wheel(name))) as image:
            fitted = ImageOps.fit(image.convert("RGB"), size, Image.Resampling.BICUBIC)
        found.append(folder / f"{Path(name).stem}.jpg")
        fitted.save(found[-1], "JPEG", quality=QUALITY)
    return found
