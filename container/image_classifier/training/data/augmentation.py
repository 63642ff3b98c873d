"""Random augmentation: flip, rotation and zoom as a single transform.

The transform depends only on the seed, the epoch and the image, so that resumed jobs, and jobs on other devices, draw
the same.
"""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from image_classifier.contract.hyperparameters import Hyperparameters

_DRAWS = 4
"""Numbers drawn per image: horizontal flip, vertical flip, angle, zoom; always all, so that they are independent of
which ones are used."""


def draw(values: Hyperparameters, size: tuple[int, int], epoch: int, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Draw the transforms of images of (height, width) `size`, given by their indices `rows`, int64 (n,).

    Returns the 8 numbers of a projective transform for each, float32 (n, 8), which map a point (x, y) of the new
    image to one of the old: flips with even chances, a rotation uniform in ±|factor| turns and a zoom uniform in
    1 ± |factor|, all about the image's middle.
    """
    across, down, turn, zoom = _uniform(values.random_seed, epoch, rows).T
    flip = values.augmentation_random_flip
    mirror_x = np.where(across < 0.5, -1.0, 1.0) if flip.startswith("horizontal") else 1.0
    mirror_y = np.where(down < 0.5, -1.0, 1.0) if flip.endswith("vertical") else 1.0
    angle = 2 * np.pi * abs(values.augmentation_random_rotation) * (2 * turn - 1)
    scale = 1 + abs(values.augmentation_random_zoom) * (2 * zoom - 1)
    # Inverse mapping: from a point of the new image to the old one by zoom, rotation and flip.
    xx, xy = mirror_x * scale * np.cos(angle), -mirror_x * scale * np.sin(angle)
    yx, yy = mirror_y * scale * np.sin(angle), mirror_y * scale * np.cos(angle)
    middle_y, middle_x = (size[0] - 1) / 2, (size[1] - 1) / 2
    offset_x = middle_x - xx * middle_x - xy * middle_y
    offset_y = middle_y - yx * middle_x - yy * middle_y
    nothing = np.zeros(len(rows))
    return np.stack([xx, xy, offset_x, yx, yy, offset_y, nothing, nothing], axis=1).astype(np.float32)


def apply(pixels: Any, transforms: Any) -> Any:
    """Transform float pixels (n, h, w, 3) by (n, 8) numbers of `draw`, bilinearly; reflected at the borders."""
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=pixels,
        transforms=transforms,
        output_shape=tf.shape(pixels)[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )


def _uniform(seed: int, epoch: int, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return numbers of [0, 1), (n, 4), by SplitMix64, which can start anywhere in its sequence.

    Steele, Lea, Flood, Fast splittable pseudorandom number generators (OOPSLA 2014); the constants are its own.
    NumPy's generators would have to be created for every image, which takes longer than changing it.
    """
    start = np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)
    numbers = rows.astype(np.uint64)[:, None] * np.uint64(_DRAWS) + np.arange(1, _DRAWS + 1, dtype=np.uint64)
    mixed = np.add(start, numbers * np.uint64(0x9E3779B97F4A7C15), dtype=np.uint64)
    mixed = _stirred(mixed, 30) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = _stirred(mixed, 27) * np.uint64(0x94D049BB133111EB)
    # The 53 bits that a double holds.
    return np.right_shift(_stirred(mixed, 31), np.uint64(11)).astype(np.float64) * 2.0**-53


def _stirred(numbers: NDArray[np.uint64], bits: int) -> NDArray[np.uint64]:
    return numbers ^ np.right_shift(numbers, np.uint64(bits))
