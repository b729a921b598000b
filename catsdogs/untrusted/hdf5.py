"""HDF5 files that may come from anyone: their texts and arrays, and nothing that leads elsewhere.

An HDF5 file can point at other files (external and virtual storage, links), and can declare
arrays far larger than itself (never written, or compressed). Here an array is read only where
its numbers stand in the file as they are, after their size was compared with the file's.
"""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from catsdogs.errors import ModelFileError
from catsdogs.untrusted.text_heaps import is_endless

WAY_OUT = "train it again, or give another by --model FILE"

MAX_TEXT_BYTES = 4 * 2**20
"""Longer texts are refused; the configuration of a network of 700 layers takes 0.3 MB."""

_READ_ERRORS = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    RuntimeError,
    OverflowError,
    AttributeError,
    MemoryError,
)
"""What h5py raises on damaged files."""


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
        """Of the arrays."""
        return [array.shape for array in self.arrays]


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open a model file for reading.

    Raises:
        ModelFileError: the file is missing, cannot be read, or turns out to be damaged while
            it is open.
    """
    _check_regular(path)
    if is_endless(path):
        raise damaged(path, "its texts have no end")
    try:
        file = h5py.File(path, "r")
    except _READ_ERRORS:
        raise ModelFileError(f"{path} is no HDF5 file, or is damaged: {WAY_OUT}") from None
    with file:
        try:
            yield file
        except _READ_ERRORS as error:
            raise damaged(path, error) from None


def damaged(path: Path, reason: object) -> ModelFileError:
    """The error for a file whose content contradicts itself."""
    text = " ".join(str(reason).split()) or type(reason).__name__
    return ModelFileError(f"{path} is damaged ({text[:200]}): {WAY_OUT}")


def _check_regular(path: Path) -> None:
    """Refuse what is no ordinary file before it is opened: a pipe would wait for its writer."""
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode) and status.st_size:
            with path.open("rb"):
                return
    except (FileNotFoundError, NotADirectoryError):
        raise ModelFileError(
            f"no model at {path}: run `catsdogs train` first, or give --model FILE"
        ) from None
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise ModelFileError(
            f"{path} cannot be read ({reason}): give another by --model FILE"
        ) from None
    if stat.S_ISDIR(status.st_mode):
        raise ModelFileError(f"{path} is a folder: give a model file by --model FILE")
    if not stat.S_ISREG(status.st_mode):
        raise ModelFileError(f"{path} is no ordinary file: give a model file by --model FILE")
    raise ModelFileError(f"{path} is empty: {WAY_OUT}")


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
    value = item.attrs[name]
    text = value.decode("utf-8") if isinstance(value, bytes) else str(value)
    if len(text) > MAX_TEXT_BYTES:
        raise ValueError(f"its attribute {name} has {len(text):,} characters")
    return text


def stored_layers(file: h5py.File) -> list[StoredLayer]:
    """The layers that have weights, in the network's order, in the layout of Keras' .h5 files.

    Raises:
        ValueError, KeyError: an array is missing, is no plain block of numbers in this file,
            or all together claim more bytes than the file has.
    """
    weights = child(file, "model_weights")
    layers = []
    left = file.id.get_filesize()
    for name in _read_names(weights, "layer_names", left):
        group = child(weights, name)
        arrays = []
        for array_name in _read_names(group, "weight_names", left):
            array = child(group, array_name)
            check_array(array, array_name, left)
            left -= array.nbytes
            arrays.append(array)
        if arrays:
            layers.append(StoredLayer(name, tuple(arrays)))
    return layers


def read_array(array: h5py.Dataset) -> np.ndarray:
    """The numbers of a checked array.

    Raises:
        ValueError: one of them is not finite.
    """
    values = array[()]
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
    if array.nbytes > max_bytes:
        raise ValueError("its weights claim more bytes than the file has")


def _read_names(group: Any, name: str, max_bytes: int) -> list[str]:
    """A list of texts, which Keras splits over `name0`, `name1`, … where it is long."""
    if name in group.attrs:
        return _read_name_array(group, name, max_bytes)
    names: list[str] = []
    number = 0
    while f"{name}{number}" in group.attrs:
        names += _read_name_array(group, f"{name}{number}", max_bytes)
        number += 1
    return names


def _read_name_array(group: Any, name: str, max_bytes: int) -> list[str]:
    attribute = group.attrs.get_id(name)
    if attribute.shape == (0,):  # of any type
        return []
    if (
        len(attribute.shape) != 1
        or h5py.check_string_dtype(attribute.dtype) is None
        or attribute.get_storage_size() > max_bytes
    ):
        raise ValueError(f"its attribute {name} is no list of names")
    return [n.decode("utf-8") if isinstance(n, bytes) else str(n) for n in group.attrs[name]]
