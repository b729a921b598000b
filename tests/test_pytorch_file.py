import io
import pickle
from collections import OrderedDict

import numpy as np
import pytest

from catsdogs.network.pytorch_file import read_state_dict

MAGIC = 0x1950A86A20F9469CFC6C


class Global:
    """Stands for a class or function of PyTorch's, of which only the name is written."""

    def __init__(self, module, name):
        self.module, self.name = module, name

    def __call__(self):
        raise AssertionError("never called when written")


REBUILD = Global("torch._utils", "_rebuild_tensor_v2")
STORAGES = {"f": Global("torch", "FloatStorage"), "i": Global("torch", "LongStorage")}


class Storage:
    def __init__(self, key, values):
        self.key, self.values = key, values


class Tensor:
    def __init__(self, storage, offset, shape, strides):
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def __reduce__(self):
        arguments = (self.storage, self.offset, self.shape, self.strides, False, OrderedDict())
        return REBUILD, arguments


class StatePickler(pickle._Pickler):
    def reducer_override(self, obj):
        return "global" if isinstance(obj, Global) else NotImplemented

    def save_global(self, obj, name=None):
        if isinstance(obj, Global):
            self.write(f"c{obj.module}\n{obj.name}\n".encode())
        else:
            super().save_global(obj, name)

    def persistent_id(self, obj):
        if isinstance(obj, Storage):
            kind = STORAGES[obj.values.dtype.kind]
            return ("storage", kind, obj.key, "cpu", len(obj.values), None)
        return None


def write_state_dict(tensors):
    """Bytes of a state dict in PyTorch's legacy format."""
    file = io.BytesIO()
    state = OrderedDict(tensors)
    state._metadata = OrderedDict({"": {"version": 1}})
    storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    for item in (MAGIC, 1001, {"little_endian": True}, state, list(storages)):
        StatePickler(file, 2).dump(item)
    for storage in storages.values():
        file.write(len(storage.values).to_bytes(8, "little") + storage.values.tobytes())
    return file.getvalue()


def dense(key, array):
    array = np.ascontiguousarray(array)
    strides = tuple(stride // array.itemsize for stride in array.strides)
    return Tensor(Storage(key, array.reshape(-1)), 0, array.shape, strides)


def test_tensors_are_read_with_their_offsets_and_strides():
    numbers = np.arange(24, dtype=np.float32)
    storage = Storage("0", numbers)
    content = write_state_dict(
        {
            "straight": Tensor(storage, 0, (4, 6), (6, 1)),
            "turned": Tensor(storage, 0, (6, 4), (1, 6)),
            "part": Tensor(storage, 5, (2, 3), (6, 2)),
            "count": Tensor(Storage("1", np.array([7], np.int64)), 0, (), ()),
        }
    )
    read = read_state_dict(content)
    np.testing.assert_array_equal(read["straight"], numbers.reshape(4, 6))
    np.testing.assert_array_equal(read["turned"], numbers.reshape(4, 6).T)
    np.testing.assert_array_equal(read["part"], [[5, 7, 9], [11, 13, 15]])
    assert read["count"] == 7


def test_tensor_that_reaches_beyond_its_numbers_is_refused():
    storage = Storage("0", np.zeros(6, np.float32))
    for offset, shape, strides in ((0, (7,), (1,)), (5, (2,), (1,)), (0, (2, 2), (5, 1))):
        with pytest.raises(ValueError, match="beyond its numbers"):
            read_state_dict(write_state_dict({"x": Tensor(storage, offset, shape, strides)}))


@pytest.mark.parametrize("shape", [((-1,), (1,)), ((2,), (-1,)), ((2, 2), (1,))])
def test_impossible_shapes_are_refused(shape):
    tensor = Tensor(Storage("0", np.zeros(6, np.float32)), 0, *shape)
    with pytest.raises(pickle.UnpicklingError, match="cannot be"):
        read_state_dict(write_state_dict({"x": tensor}))


def test_file_that_ends_too_early_is_refused():
    content = write_state_dict({"x": dense("0", np.zeros((3, 4), np.float32))})
    with pytest.raises(ValueError, match="buffer"):
        read_state_dict(content[:-5])


@pytest.mark.parametrize(
    "name", ["os system", "builtins eval", "torch load", "torch._utils _rebuild_parameter"]
)
def test_everything_but_tensors_is_refused(name):
    module, _, function = name.partition(" ")
    attack = b"\x80\x02c" + f"{module}\n{function}\n".encode() + b"X\x04\x00\x00\x00true\x85R."
    for number in range(3):
        head = b"".join(pickle.dumps(item) for item in (MAGIC, 1001, {})[:number])
        with pytest.raises(pickle.UnpicklingError, match=r"is not admitted"):
            read_state_dict(head + attack)
