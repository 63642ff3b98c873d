"""Named arrays as an uncompressed .npz archive, which `numpy.load` reads without pickle.

The one array format of a job: checkpoints, computed features, and checkpoints on their way to other hosts.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]

_PLAIN_KINDS = "biuf"
"""Kinds of NumPy types that any program can read from an .npy file; bfloat16, of kind `V`, is not among them."""


class Writable(Protocol):
    """What an archive can be written to; it need not be seekable."""

    def write(self, chunk: bytes, /) -> int:
        """Write bytes; return how many."""

    def flush(self) -> None:
        """Flush buffers."""

    def close(self) -> None:
        """Close the file."""


def write(file: Writable, arrays: Arrays) -> None:
    """Write arrays under any names to a file, front to back.

    Raises:
        ValueError: An array is not bool, integer or float.
        OSError: The disk is full or not writable.
    """
    # Not numpy.savez, which reserves some names for its own parameters.
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            if array.dtype.kind not in _PLAIN_KINDS:
                raise ValueError(f"The array {name} is of type {array.dtype}; expected bool, integer or float.")
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def read(source: Path | IO[bytes]) -> dict[str, NDArray[Any]]:
    """Return all arrays of an archive.

    Raises:
        ValueError: It is not such an archive.
        OSError: The file cannot be read.
    """
    try:
        with np.load(source, allow_pickle=False) as archive:
            return dict(archive)
    except zipfile.BadZipFile as error:
        raise ValueError(str(error)) from error


def to_bytes(arrays: Arrays, metadata: Any) -> bytes:
    """Return an archive of arrays with JSON-able metadata, which is stored under the name `metadata`."""
    file = io.BytesIO()
    write(file, {**arrays, "metadata": np.frombuffer(json.dumps(metadata).encode(), np.uint8)})
    return file.getvalue()


def from_bytes(content: bytes) -> tuple[dict[str, NDArray[Any]], Any]:
    """Return the arrays and the metadata that `to_bytes` packed; raises as `read` does."""
    arrays = read(io.BytesIO(content))
    return arrays, json.loads(arrays.pop("metadata").tobytes())
