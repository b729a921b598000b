"""Tensors from a PyTorch file of the legacy format, read without PyTorch.

Such a file is five pickles in a row (a magic number, a version, facts about the system, the
state dict, the keys of its storages), and then, for each key, an int64 count and the raw
numbers. Only what a state dict needs is admitted in the pickles.
"""

import io
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np

_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001

_STORAGE_TYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


@dataclass(frozen=True)
class _Storage:
    """A row of numbers that follows the pickles. Attributes: its key; the type of its numbers."""

    key: str
    dtype: np.dtype


@dataclass(frozen=True)
class _Tensor:
    """A view of a storage: where it begins, its shape, and its strides in numbers."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_state_dict(content: bytes) -> dict[str, np.ndarray]:
    """Read the tensors of a state dict by name.

    Args:
        content: of the file, in PyTorch's format before version 1.6.

    Raises:
        pickle.UnpicklingError: there is anything else in it than tensors.
        ValueError: it is another format, or ends too early.
    """
    file = io.BytesIO(content)
    head = [_StateUnpickler(file).load() for _ in range(3)]
    if head[:2] != [_MAGIC, _VERSION]:
        raise ValueError("it is no PyTorch file of the legacy format")
    tensors = _StateUnpickler(file).load()
    dtypes = {tensor.storage.key: tensor.storage.dtype for tensor in tensors.values()}
    storages = {}
    for key in _StateUnpickler(file).load():
        count = int.from_bytes(file.read(8), "little")
        storages[key] = np.frombuffer(file.read(count * dtypes[key].itemsize), dtypes[key], count)
    return {name: _array(tensor, storages[tensor.storage.key]) for name, tensor in tensors.items()}


def _array(tensor: _Tensor, storage: np.ndarray) -> np.ndarray:
    """The tensor as an array of its own; the numbers of many files lie in another order."""
    last = sum((n - 1) * s for n, s in zip(tensor.shape, tensor.strides, strict=True))
    if min(tensor.shape, default=1) and tensor.offset + last >= len(storage):
        raise ValueError("a tensor reaches beyond its numbers")
    return np.lib.stride_tricks.as_strided(
        storage[tensor.offset :],
        tensor.shape,
        tuple(stride * storage.itemsize for stride in tensor.strides),
        writeable=False,
    ).copy()


class _StateUnpickler(pickle.Unpickler):
    """Reads a state dict's structure and refuses every other object."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module == "torch" and name in _STORAGE_TYPES:
            return _STORAGE_TYPES[name]
        raise pickle.UnpicklingError(f"{module}.{name} is not admitted")

    def persistent_load(self, saved_id: Any) -> _Storage:
        match saved_id:
            case ("storage", np.dtype() as dtype, str() as key, *_):
                return _Storage(key, dtype)
        raise pickle.UnpicklingError("a reference to something else than a storage")


def _rebuild_tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> _Tensor:
    """What PyTorch's `_rebuild_tensor_v2` is given; gradients and hooks are left out."""
    if min((offset, *shape, *strides)) < 0 or len(shape) != len(strides):
        raise pickle.UnpicklingError("a tensor of a shape that cannot be")
    return _Tensor(storage, offset, tuple(shape), tuple(strides))
