"""Traits of images as a file: what one process read of them, for another one of the same program."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier.evaluation.traits import LUMA_SIDE, Traits

_ROWS, _LUMA, _HASH = "rows", "luma", "perceptual_hash"
"""Arrays of the file; the first has the number of images, and then the rows of those that have traits."""


def write(path: Path, found: Sequence[Traits | None]) -> None:
    """Write the traits of images in their order; None for an image without.

    Raises:
        OSError: The disk is full or not writable.
    """
    rows = [row for row, one in enumerate(found) if one is not None]
    known = [one for one in found if one is not None]
    columns: dict[str, NDArray[Any]] = {
        field.name: np.array([getattr(one, field.name) for one in known], np.uint64 if field.name == _HASH else None)
        for field in fields(Traits)
        if field.name != _LUMA
    }
    columns[_LUMA] = np.frombuffer(b"".join(one.luma for one in known), np.uint8).reshape(-1, LUMA_SIDE**2)
    columns[_ROWS] = np.array([len(found), *rows], np.int64)
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **columns)


def read(path: Path) -> list[Traits | None]:
    """Return what `write` wrote.

    Raises:
        OSError: The file cannot be read.
    """
    # Given a path, np.load leaves a file open that it cannot read as an archive.
    with path.open("rb") as content, np.load(content, allow_pickle=False) as file:
        count, *rows = file[_ROWS].tolist()
        names = [field.name for field in fields(Traits) if field.name != _LUMA]
        columns = [file[name].tolist() for name in names]
        lumas = [row.tobytes() for row in file[_LUMA]]
    found: list[Traits | None] = [None] * count
    for row, luma, *values in zip(rows, lumas, *columns, strict=True):
        found[row] = Traits(**dict(zip(names, values, strict=True)), luma=luma)
    return found
