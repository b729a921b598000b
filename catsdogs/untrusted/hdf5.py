"""HDF5 files that may come from anyone: their texts and arrays, and nothing that leads elsewhere.

An HDF5 file can point at other files (external and virtual storage, links), and can declare
arrays far larger than itself (never written, or compressed). Here an array is read only where
its numbers stand in the file as they are, after their size was compared with the file's.
"""

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from catsdogs.errors import ModelFileError
from catsdogs.untrusted.boundary import (
    NotRegularError,
    foreign_bytes,
    read_bytes,
    reason_of,
)
from catsdogs.untrusted.text_heaps import MOST_TEXT_BYTES, check_heaps

_SIGNATURE = b"\x89HDF\r\n\x1a\n"

_ZIP_SIGNATURE = b"PK\x03\x04"

WAY_OUT = "train it again, or give another"
"""What to do about a damaged model; another is given as `model`."""

MOST_FILE_BYTES = 768 * 2**20
"""Larger files are refused: they are read into memory. VGG19 with its top has 548 MiB."""

_MOST_ATTRIBUTE_BYTES = 16 * 2**20
_MOST_NAMES = 20_000
"""Layers and arrays together; the largest networks of Keras have some thousands."""
_MOST_ARRAYS = 32
"""In one layer: of a convolution, and of what else stands beside them."""


@dataclass(frozen=True)
class StoredLayer:
    """The arrays of one layer, checked but not read.

    Attributes:
        name: of the layer, as it was called when it was saved.
        arrays: in the order in which Keras writes a layer's weights.
    """

    name: str
    arrays: tuple[h5py.Dataset, ...]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the arrays."""
        return [array.shape for array in self.arrays]


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open a private copy of a model file, in memory: nobody can change or cut it meanwhile.

    Raises:
        ModelFileError: the file is missing, cannot be read, is too large, or turns out to be
            damaged while it is open.
    """
    with (
        foreign_bytes(path, ModelFileError, WAY_OUT, key="model"),
        parse_hdf5(_content(path)) as file,
    ):
        yield file


@contextmanager
def parse_hdf5(content: bytes) -> Iterator[h5py.File]:
    """Open the content of an HDF5 file; to be called within `foreign_bytes`.

    Raises:
        Exception: of any type where it is no such file, or is damaged.
    """
    if not content.startswith(_SIGNATURE):
        raise ValueError("it is no HDF5 file")
    if not _has_wide_addresses(content):
        raise ValueError("its addresses do not have the eight bytes that Keras writes")
    check_heaps(content)
    try:
        file = h5py.File(io.BytesIO(content), "r")
    except OSError:  # whose text has addresses in it
        raise ValueError("it is cut off, or broken at its start") from None
    with file:
        yield file


def _has_wide_addresses(content: bytes) -> bool:
    """Whether addresses and sizes have eight bytes, as the check of the texts takes for granted.

    HDF5 file format specification 3.0, II.A: two bytes, at 13 in the superblocks of versions 0
    and 1, at 9 in later ones.
    """
    at = 13 if content[8:9] in (b"\0", b"\1") else 9
    return content[at : at + 2] == bytes([8, 8])


def damaged(path: Path, reason: object) -> ModelFileError:
    """The error for a file whose content contradicts itself."""
    text = reason_of(ValueError(reason))
    return ModelFileError(f"{path} is damaged ({text}): {WAY_OUT}", key="model")


def _content(path: Path) -> bytes:
    try:
        content = read_bytes(path, MOST_FILE_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        raise ModelFileError(
            f"no model at {path}: run `catsdogs train` first, or give another", key="model"
        ) from None
    except NotRegularError as error:
        raise ModelFileError(
            f"{path} is {error.strerror}: give a model file", key="model"
        ) from None
    except (OSError, ValueError) as error:
        raise ModelFileError(
            f"{path} cannot be read ({reason_of(error)}): give another", key="model"
        ) from None
    if not content:
        raise ModelFileError(f"{path} is empty: {WAY_OUT}", key="model")
    if content.startswith(_ZIP_SIGNATURE):
        raise ModelFileError(
            f"{path} is a zip file, as Keras writes under the name of .keras: open it in Keras and "
            "save it by model.save('NAME.h5'), or give another",
            key="model",
        )
    return content


def read_text(item: Any, name: str) -> str | None:
    """A text attribute of a file or group; None where there is none of this name.

    Raises:
        ValueError: it is something else than one text, or too long.
    """
    if name not in item.attrs:
        return None
    attribute = item.attrs.get_id(name)
    if attribute.shape != () or h5py.check_string_dtype(attribute.dtype) is None:
        raise ValueError(f"its attribute {name} is no text")
    if attribute.get_storage_size() > MOST_TEXT_BYTES:  # one in a heap is bounded by its check
        raise ValueError(f"its attribute {name} has {attribute.get_storage_size():,} bytes")
    value = item.attrs[name]
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def stored_layers(file: h5py.File) -> list[StoredLayer]:
    """The layers that have weights, in the network's order, in the layout of Keras' .h5 files.

    They are of a whole model, or weights alone.

    Raises:
        ValueError, KeyError: an array is missing, is no plain block of numbers in this file,
            or all together claim more bytes than the file has.
    """
    weights = file if "layer_names" in file.attrs else child(file, "model_weights")
    layers = []
    left = file.id.get_filesize()
    num_names = 0
    for name in _read_names(weights, "layer_names"):
        group = child(weights, name)
        arrays = []
        array_names = _read_names(group, "weight_names")
        num_names += 1 + len(array_names)
        if num_names > _MOST_NAMES:
            raise ValueError(f"it has more than {_MOST_NAMES:,} layers and arrays")
        for array_name in array_names:
            array = child(group, array_name)
            check_array(array, array_name, left)
            left -= array.nbytes
            arrays.append(array)
        if arrays:
            layers.append(StoredLayer(name, tuple(arrays)))
    return layers


def read_array(array: h5py.Dataset) -> np.ndarray:
    """The numbers of a checked array, none of them with more bits than networks compute in.

    Raises:
        ValueError: one of them is not finite.
    """
    values = array[()]
    if values.dtype.kind == "f" and values.dtype.itemsize > 4:
        with np.errstate(over="ignore"):  # what is too large becomes infinite
            values = values.astype(np.float32)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError(f"{array.name} holds values that are no numbers, NaN or infinite")
    return values


def child(group: Any, path: str) -> Any:
    """What lies below a group, by hard links alone: other links can lead to other files.

    Raises:
        ValueError: there is nothing, or another kind of link.
    """
    for part in path.split("/"):
        if not isinstance(group, h5py.Group) or part in ("", ".") or part not in group:
            raise ValueError(f"it has no {path}")
        if not isinstance(group.get(part, getlink=True), h5py.HardLink):
            raise ValueError(f"{path} is a link to another place")
        group = group[part]
    return group


def check_array(array: Any, name: str, max_bytes: int) -> None:
    """Refuse what is no plain block of numbers in its own file.

    Raises:
        ValueError: it lies elsewhere, is of another type, or larger than `max_bytes`.
    """
    if not isinstance(array, h5py.Dataset) or array.shape is None:
        raise ValueError(f"{name} is no array")
    if array.external or array.is_virtual:
        raise ValueError(f"{name} is stored in another file")
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} holds no numbers")
    if array.chunks is not None:
        raise ValueError(f"{name} is compressed or in chunks, as Keras never writes it")
    if math.prod(array.shape) * array.dtype.itemsize > max_bytes:
        raise ValueError("its weights claim more bytes than the file has")


def arrays_below(group: Any, depth: int = 4) -> Iterator[h5py.Dataset]:
    """All arrays in a group, however deep Keras put them; at most so many groups deep.

    Raises:
        ValueError: it is no group, or there are more of them than a layer has.
    """
    if not isinstance(group, h5py.Group):
        raise ValueError(f"{group.name} is no group")
    for number, name in enumerate(islice(group, _MOST_ARRAYS + 1)):
        if number == _MOST_ARRAYS:
            raise ValueError(f"{group.name} holds more than a layer does")
        item = child(group, name)
        if isinstance(item, h5py.Dataset):
            yield item
        elif depth > 1:
            yield from arrays_below(item, depth - 1)


def _read_names(group: Any, name: str) -> list[str]:
    """A list of texts, which Keras splits over `name0`, `name1`, … where it is long."""
    if name in group.attrs:
        return _read_name_array(group, name)
    names: list[str] = []
    number = 0
    while f"{name}{number}" in group.attrs and len(names) <= _MOST_NAMES:
        names += _read_name_array(group, f"{name}{number}")
        number += 1
    return names


def _read_name_array(group: Any, name: str) -> list[str]:
    attribute = group.attrs.get_id(name)
    if attribute.shape == (0,):  # of any type
        return []
    if len(attribute.shape) != 1 or h5py.check_string_dtype(attribute.dtype) is None:
        raise ValueError(f"its attribute {name} is no list of names")
    if attribute.shape[0] > _MOST_NAMES or attribute.get_storage_size() > _MOST_ATTRIBUTE_BYTES:
        raise ValueError(f"its attribute {name} lists more than the layers of a network")
    return [n.decode("utf-8") if isinstance(n, bytes) else str(n) for n in group.attrs[name]]
