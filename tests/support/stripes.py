"""Images of stripes whose direction is their class: a small backbone's features hardly tell it, and training does."""

from pathlib import Path

import numpy as np
from PIL import Image


def write(folder: Path, count: int) -> Path:
    """Write `count` images of 48 x 40 pixels in each of the folders `across` and `down`."""
    noise = np.random.default_rng(3)
    for name in ("across", "down"):
        (folder / name).mkdir(parents=True)
        for index in range(count):
            rows, columns = np.indices((40, 48))
            along = (rows if name == "across" else columns) + noise.integers(4)
            grey = 100 + 55 * (along // 2 % 2)
            pixels = np.clip(grey[..., np.newaxis] + noise.normal(0, 60, (40, 48, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{index:03}.png")
    return folder
