"""Small folders of images for tests of data sets: every image another noise, so that none are duplicates."""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image


def image_bytes(seed: str, size: tuple[int, int] = (64, 48), encoding: str = "PNG") -> bytes:
    """Return an encoded image of blocks whose colours follow from the seed; width and height in pixels."""
    generator = np.random.default_rng(
        int.from_bytes(hashlib.sha256(seed.encode(errors="surrogateescape")).digest()[:8])
    )
    blocks = Image.fromarray(generator.integers(0, 255, (8, 8, 3), dtype=np.uint8))
    encoded = io.BytesIO()
    blocks.resize(size, Image.Resampling.NEAREST).save(encoded, encoding)
    return encoded.getvalue()


def write_classes(folder: Path, counts: Mapping[str, int]) -> Path:
    """Write `folder/<class>/<number>.png` and return the folder."""
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            (folder / name / f"{number:03}.png").write_bytes(image_bytes(f"{folder}/{name}/{number}"))
    return folder
