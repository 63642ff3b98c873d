"""Reading PyTorch's old weight files: right, and safe."""

import collections
import io
import pickle
import struct
import sys
import types
from typing import Any

import numpy as np
import pytest

from image_classifier.contract.errors import UserError
from image_classifier.model_hub.converters import torch_weights

MAGIC = 0x1950A86A20F9469CFC6C


class _Storage:
    """Stands for a storage, which the pickle names by a persistent id."""

    def __init__(self, pid: tuple[Any, ...]) -> None:
        self.pid = pid


class _Tensor:
    """Pickles as PyTorch's tensors do: a call of `_rebuild_tensor_v2`."""

    def __init__(self, storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self.arguments: tuple[Any, ...] = (storage, offset, shape, strides, False, collections.OrderedDict())

    def __reduce__(self) -> tuple[Any, ...]:
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.arguments


@pytest.fixture
def torch_names(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put modules of PyTorch's names in place, so that pickles can name them. They hold names, no behaviour."""
    torch, parts = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in ("FloatStorage", "LongStorage", "HalfStorage"):
        setattr(torch, name, type(name, (), {"__module__": "torch"}))

    def rebuild(*_: Any) -> None:
        raise AssertionError("the reader must not call this")

    rebuild.__module__, rebuild.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    rebuild.__name__ = "_rebuild_tensor_v2"
    parts._rebuild_tensor_v2 = rebuild  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", parts)
    return torch


def write(state: dict[str, Any], storages: dict[str, np.ndarray], magic: int = MAGIC) -> bytes:
    """Write the layout of torch.save before version 1.6."""
    file = io.BytesIO()

    class Pickler(pickle.Pickler):
        def persistent_id(self, value: Any) -> Any:
            return value.pid if isinstance(value, _Storage) else None

    for value in (magic, 1001, {"little_endian": True}, collections.OrderedDict(state), list(storages)):
        Pickler(file, protocol=2).dump(value)
    for array in storages.values():
        file.write(struct.pack("<q", array.size) + array.tobytes())
    return file.getvalue()


def one_tensor(torch: Any, shape: tuple[int, ...], strides: tuple[int, ...], kind: str = "FloatStorage") -> bytes:
    """Write a file with one tensor over six numbers."""
    storage = _Storage(("storage", getattr(torch, kind), "0", "cpu", 6, None))
    return write({"weight": _Tensor(storage, 0, shape, strides)}, {"0": np.arange(6, dtype=np.float32)})


def test_views_are_read_by_their_strides(torch_names: Any) -> None:
    """A tensor and its transpose over one storage -> both arrays, as PyTorch would show them."""
    storage = _Storage(("storage", torch_names.FloatStorage, "0", "cpu", 6, None))
    whole, turned = _Tensor(storage, 0, (2, 3), (3, 1)), _Tensor(storage, 0, (3, 2), (1, 3))
    count = _Tensor(_Storage(("storage", torch_names.LongStorage, "1", "cpu", 1, None)), 0, (), ())
    data = write(
        {"whole": whole, "turned": turned, "count": count},
        {"0": np.arange(6, dtype=np.float32), "1": np.array([9], np.int64)},
    )
    found = torch_weights.read(data)
    assert found["whole"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["turned"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert found["count"] == 9


def test_pickle_that_would_run_code_is_rejected(tmp_path: Any) -> None:
    """A pickle that calls a system function -> rejected by its name, nothing was run."""

    class Hostile:
        def __reduce__(self) -> tuple[Any, ...]:
            return __import__("os").mkdir, (str(tmp_path / "was-run"),)

    with pytest.raises(UserError, match="mkdir has no place among weights"):
        torch_weights.read(pickle.dumps(Hostile()))
    assert not (tmp_path / "was-run").exists()


@pytest.mark.parametrize("data", [b"", b"text", pickle.dumps(MAGIC), pickle.dumps([1, 2])])
def test_other_files_are_rejected(data: bytes) -> None:
    """Empty, text, or pickles of something else -> one sentence."""
    with pytest.raises(UserError, match="is not a PyTorch weight file"):
        torch_weights.read(data)


def test_damaged_files_are_rejected(torch_names: Any) -> None:
    """Another magic number, cut off, too long, another type, a tensor beyond its storage -> one sentence each."""
    good = one_tensor(torch_names, (6,), (1,))
    assert torch_weights.read(good)["weight"].tolist() == [0, 1, 2, 3, 4, 5]
    for data, reason in (
        (write({}, {}, magic=1), "magic number"),
        (good[:-3], "ends 3 bytes too early"),
        (good + b"x", "left over"),
        (one_tensor(torch_names, (6,), (1,), "HalfStorage"), "HalfStorage has no place"),
        (one_tensor(torch_names, (7,), (1,)), "beyond its storage"),
        (one_tensor(torch_names, (2,), (-1,)), "beyond its storage"),
    ):
        with pytest.raises(UserError, match=reason):
            torch_weights.read(data)
