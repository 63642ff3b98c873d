"""Arrays beside a model: written, read back, and rejected when they are corrupt or hostile."""

import io
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from image_classifier.contract.errors import UserError
from image_classifier.evaluation import array_file

ARRAYS: dict[str, NDArray[Any]] = {
    "basis": np.arange(6, dtype=np.float16).reshape(3, 2),
    "turned": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(3, 2)),
    "counts": np.array([3, 0, 7], np.int64),
    "scale": np.array(0.5),
    "empty": np.empty((4, 0), np.float16),
}


def packed(header: str = "", data: bytes = b"", magic: bytes = b"\x93NUMPY\x01\x00") -> bytes:
    """Return an archive of one array with a header of its own."""
    text = header.encode().ljust(117) + b"\n"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", magic + len(text).to_bytes(2, "little") + text + data)
    return file.getvalue()


def test_arrays_are_read_back(tmp_path: Path) -> None:
    """Given arrays of several types, orders and shapes -> equal ones, and the same bytes when written again."""
    path = tmp_path / "a.npz"
    array_file.write(path, ARRAYS)
    found = array_file.read(path)
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert np.array_equal(found[name], array)
    array_file.write(tmp_path / "b.npz", ARRAYS)
    assert path.read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_plain_archive_is_readable(tmp_path: Path) -> None:
    """Given the archive that the other tests have corrupt variants of -> its array."""
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}"
    (tmp_path / "a.npz").write_bytes(packed(header, np.ones(2, np.float32).tobytes()))
    assert array_file.read(tmp_path / "a.npz")["a"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a zip file"),
        (b"text", "not a zip file"),
        (packed("{'descr': '|O', 'fortran_order': False, 'shape': (2,)}", bytes(16)), "type object"),
        (packed("{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999999,)}", bytes(16)), "cannot reshape"),
        (packed("{'descr': '<f4', 'fortran_order': False, 'shape': (4,)}", bytes(3)), "buffer size"),
        (packed("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", b"\0\0\xc0\x7f"), "not finite"),
        (packed("{'descr': '<f4'}"), "the header of an array is invalid"),
        (packed("__import__('os')"), "the header of an array is invalid"),
        (packed(magic=b"\x93NUMPY\x03\x00"), "the header of an array is invalid"),
        (packed(magic=b"\x80PICKLE\x01"), "the header of an array is invalid"),
        (packed("x", bytes(array_file.MAX_BYTES)), "16,777,216 bytes"),
    ],
    ids=range(11),
)
def test_hostile_files_are_rejected(tmp_path: Path, content: bytes, reason: str) -> None:
    """Given a pickle, a shape beyond the data, NaN, code, a zip bomb -> one sentence that names file and remedy."""
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    began = time.process_time()
    with pytest.raises(UserError, match=reason) as found:
        array_file.read(path)
    assert str(found.value).startswith(f"{path} is corrupt: ")
    assert "remove this file" in str(found.value)
    assert time.process_time() - began < 1


def test_every_cut_and_flipped_byte_is_noticed_or_harmless(tmp_path: Path) -> None:
    """Given a file cut anywhere or with a flipped bit -> one sentence, or the same arrays."""
    path = tmp_path / "a.npz"
    array_file.write(path, {"a": np.arange(8, dtype=np.float32)})
    whole = path.read_bytes()
    corrupt = [whole[:size] for size in range(0, len(whole), 7)]
    corrupt += [whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :] for at in range(len(whole))]
    noticed = 0
    for content in corrupt:
        path.write_bytes(content)
        try:
            found = array_file.read(path)
        except UserError:
            noticed += 1
        else:
            assert [array.tolist() for array in found.values()] == [list(range(8))]
    assert noticed > len(corrupt) // 2
