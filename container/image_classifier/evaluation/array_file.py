"""Named arrays beside a model, as an .npz file: what the familiarity of images and drift are computed from.

Model folders are untrusted. A file is read without pickle, and no header makes the reader allocate more than the file
itself declares and holds.
"""

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier import durable_files
from image_classifier.contract.errors import UserError, first_line

MAX_BYTES = 16 * 1024 * 1024
"""Of all arrays of a file together, unpacked."""
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
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > _MAX_ARRAYS or sum(member.file_size for member in members) > MAX_BYTES:
                raise ValueError(f"it holds more than {_MAX_ARRAYS} arrays or {MAX_BYTES:,} bytes")
            return {member.filename.removesuffix(_SUFFIX): _array(archive.read(member)) for member in members}
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise corrupt(path, first_line(error)) from error


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
    found = np.frombuffer(content, dtype, offset=file.tell()).reshape(shape, order="F" if is_fortran else "C")
    if not np.isfinite(found).all():
        raise ValueError("an array holds numbers that are not finite")
    return found
