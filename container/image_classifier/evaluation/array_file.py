"""Named arrays beside a model, as an .npz file: what the familiarity of images and drift are computed from.

Model folders are untrusted. A file is read without pickle, and no header makes the reader allocate more than the file
itself declares and holds.
"""

import io
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier import durable_files
from image_classifier.contract.errors import UserError, first_line

MAX_BYTES = 16 * 1024 * 1024
"""Of all arrays of a file together, unpacked."""
UNREADABLE = (
    *(OSError, ValueError, EOFError, NotImplementedError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)
"""What reading a corrupt file raises."""
_MAX_ARRAYS = 100
_SUFFIX = ".npy"
_PLAIN_KINDS = "biuf"
"""Kinds of NumPy types: bool, integers and floats."""


def write(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write bool, integer or float arrays; the same arrays give the same bytes.

    Raises:
        OSError: The disk is full or not writable.
    """
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    durable_files.write_bytes(path, content.getvalue())


def read(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file by name; floats are finite.

    Raises:
        UserError: The file is corrupt, larger than `MAX_BYTES`, or holds other types.
    """
    try:
        found = members(path)
        if not all(np.isfinite(array).all() for array in found.values()):
            raise ValueError("an array holds numbers that are not finite")
    except UNREADABLE as error:
        raise corrupt(path, first_line(error)) from error
    return found


def members(
    path: Path, max_bytes: int = MAX_BYTES, wanted: Callable[[str], bool] = lambda _: True
) -> dict[str, NDArray[Any]]:
    """Return some arrays of a file by name, those that are `wanted`.

    Raises:
        Exception: One of `UNREADABLE`: the file is corrupt, larger than `max_bytes`, or holds other types.
    """
    with zipfile.ZipFile(path) as archive:
        found = archive.infolist()
        if len(found) > _MAX_ARRAYS or sum(member.file_size for member in found) > max_bytes:
            raise ValueError(f"it holds more than {_MAX_ARRAYS} arrays or {max_bytes:,} bytes")
        by_name = {member.filename.removesuffix(_SUFFIX): member for member in found}
        return {name: _array(archive.read(member)) for name, member in by_name.items() if wanted(name)}


def names(path: Path) -> set[str]:
    """Return the names of the arrays of a file; raises as `members`."""
    with zipfile.ZipFile(path) as archive:
        return {name.removesuffix(_SUFFIX) for name in archive.namelist()}


def compact(values: NDArray[np.floating[Any]]) -> NDArray[np.float16 | np.float32]:
    """Return values as they are stored: in float16, or in float32 where one of them exceeds its range of 65,504."""
    is_small = np.abs(values).max(initial=0) <= np.finfo(np.float16).max
    return values.astype(np.float16 if is_small else np.float32)


def corrupt(path: Path, reason: str) -> UserError:
    """Return the error of a file whose content is unusable; `reason` is without a full stop."""
    return UserError(
        f"{path} is corrupt: {reason}. Copy the model again, or remove this file: the model predicts without it."
    )


def _array(content: bytes) -> NDArray[Any]:
    file = io.BytesIO(content)
    try:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError
        shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    except ValueError as error:
        raise ValueError("the header of an array is invalid") from error
    if dtype.kind not in _PLAIN_KINDS:
        raise ValueError(f"an array is of type {dtype}")
    # Not np.load, which allocates what the header states before it reads that many bytes.
    return np.frombuffer(content, dtype, offset=file.tell()).reshape(shape, order="F" if is_fortran else "C")
