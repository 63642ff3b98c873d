"""Read PyTorch weight files in the format before version 1.6, without PyTorch and without trusting their pickles.

The layout (torch/serialization.py, `_legacy_save`): four pickles (magic number, protocol, system information, the
state dictionary, whose tensors name their storage by a persistent id), a pickled list of storage keys, then for each
storage an int64 count and its values, little-endian.
"""

import collections
import io
import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier.contract.errors import UserError

_MAGIC = 0x1950A86A20F9469CFC6C
_STORAGE_TYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}


@dataclass(frozen=True)
class _Tensor:
    """A view of a storage: first element, shape, strides in elements."""

    storage: tuple[Any, ...]
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _WeightsUnpickler(pickle.Unpickler):
    """Admits what a state dictionary is made of and nothing else: no other name can be reached, so no code runs."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: _Tensor(storage, offset, shape, strides)
        if module == "torch" and name in _STORAGE_TYPES:
            return name
        raise pickle.UnpicklingError(f"{module}.{name} has no place among weights")

    def persistent_load(self, pid: Any) -> Any:
        return pid


def read(data: bytes) -> dict[str, NDArray[Any]]:
    """Return a weight file's arrays by name, in their stored order, float32 or int64.

    Raises:
        UserError: The file has another layout, holds anything but weights, or is cut off.
    """
    file = io.BytesIO(data)
    try:
        magic, _, _, state, keys = (_WeightsUnpickler(file).load() for _ in range(5))
        if magic != _MAGIC:
            raise ValueError("its magic number is another one")
        types = {tensor.storage[2]: _STORAGE_TYPES[tensor.storage[1]] for tensor in state.values()}
        storages = {key: _read_storage(file, types[key]) for key in keys}
        if file.read(1):
            raise ValueError("bytes are left over at its end")
        return {name: _view(tensor, storages[tensor.storage[2]]) for name, tensor in state.items()}
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise UserError(f"This is not a PyTorch weight file of the layout before version 1.6: {error}.") from error


def _read_storage(file: io.BytesIO, dtype: str) -> NDArray[Any]:
    count = int.from_bytes(file.read(8), "little")
    size = count * np.dtype(dtype).itemsize
    content = file.read(size)
    if len(content) != size:
        raise ValueError(f"it ends {size - len(content):,} bytes too early")
    return np.frombuffer(content, dtype)


def _view(tensor: _Tensor, storage: NDArray[Any]) -> NDArray[Any]:
    last = tensor.offset + sum((side - 1) * stride for side, stride in zip(tensor.shape, tensor.strides, strict=True))
    if min((tensor.offset, *tensor.strides, *tensor.shape), default=0) < 0 or last >= len(storage):
        raise ValueError("a tensor reaches beyond its storage")
    strides = [stride * storage.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(storage[tensor.offset :], tensor.shape, strides).copy()
