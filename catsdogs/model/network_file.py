"""A .h5 model file as a network of our own layers: read and written by h5py, without Keras."""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from catsdogs.config import MAX_PIXELS_A_SIDE
from catsdogs.errors import DivergedError
from catsdogs.files import replacing
from catsdogs.model.admission import admit
from catsdogs.model.keras2_config import as_keras3, is_keras2
from catsdogs.model.keras_config import OtherLayersError, network_from_config
from catsdogs.model.keras_description import describe_network
from catsdogs.model.known_photos import KnownPhotos, read_known_photos, write_known_photos
from catsdogs.model.metadata import (
    ATTRIBUTE,
    Metadata,
    metadata_of,
    package_versions,
    problem_of_names,
)
from catsdogs.network.backend import backend_name
from catsdogs.network.layers import BatchNormalization, Layer
from catsdogs.network.network import Network
from catsdogs.untrusted.hdf5 import open_hdf5, read_array, read_text, stored_layers

_LAYOUT_OF = "3.14.1"
"""The oldest Keras whose layout this is, which a light installation names: Keras goes by it."""

_MOST_BYTES_A_PHOTO = 2**30
"""What is in use at once; VGG16 takes a quarter of it for 1024 x 1024 pixels."""


@dataclass(frozen=True)
class StoredNetwork:
    """A classifier as it stands in a file.

    Attributes:
        network: raw RGB, 0 to 255, to one row of outputs.
        class_names: in the order of the output.
        metadata: what the file says about itself; None for a plain Keras file.
        known: what photos of its classes look like to it; None where the file does not say.
    """

    network: Network
    class_names: tuple[str, ...]
    metadata: Metadata | None
    known: KnownPhotos | None = None


def read_network(path: Path, class_names: Sequence[str] | None = None) -> StoredNetwork | None:
    """Read the network of a model file of catsdogs, or of plain Keras where its classes are named.

    The configuration in the file is read as JSON, every layer in it must be one of ours, and
    the weights are read as numbers once their shapes are known to fit: nothing is executed.

    Args:
        path: the file.
        class_names: of a plain Keras file, in the order of its output.

    Returns:
        None where the file is not a classifier made of our own layers alone, whatever the
        reason: `open_model` opens it with Keras, or says what is wrong with it.

    Raises:
        ModelFileError: the file is missing, damaged, or of a newer format.
    """
    with open_hdf5(path) as file:
        metadata = metadata_of(path, file)
        if class_names is not None and problem_of_names(class_names):
            return None
        names = tuple(class_names or ()) if metadata is None else metadata.class_names
        config = _config_of(file)
        if config is None or not names:
            return None
        if metadata is None:
            admit(path, config)
        network = _network_of(file, config)
        known = None if metadata is None else read_known_photos(file)
    if network is None or not _is_classifier(network, len(names), metadata):
        return None
    if metadata is not None and class_names is not None and tuple(class_names) != names:
        return None
    return StoredNetwork(network, names, metadata, known)


def _config_of(file: h5py.File) -> Any:
    text = read_text(file, "model_config")
    if text is None:
        return None
    try:
        config = json.loads(text)
        return as_keras3(config) if is_keras2(read_text(file, "keras_version")) else config
    except RecursionError:
        return None


def _network_of(file: h5py.File, config: Any) -> Network | None:
    try:
        stored = {layer.name: layer for layer in stored_layers(file)}
        # shapes first: what a file says about its network can ask for more memory than there is
        empty = {
            name: [np.broadcast_to(np.float32(0), shape) for shape in layer.shapes]
            for name, layer in stored.items()
        }
        outline = network_from_config(config, empty)
        if outline.bytes_per_photo > _MOST_BYTES_A_PHOTO:
            return None
    except OtherLayersError:
        return None
    arrays = {name: [read_array(array) for array in at.arrays] for name, at in stored.items()}
    if any(array.dtype != np.float32 for found in arrays.values() for array in found):
        return None
    return network_from_config(config, arrays)


def _is_classifier(network: Network, num_classes: int, metadata: Metadata | None) -> bool:
    shape, outputs = network.input.shape, network.output_shapes
    if len(shape) != 3 or shape[2] != 3 or max(shape) > MAX_PIXELS_A_SIDE:
        return False
    if len(outputs) != 1 or len(outputs[0]) != 1:
        return False
    if metadata is not None:
        return shape[:2] == metadata.image_size and outputs[0] == (num_classes,)
    return outputs[0] == (num_classes,) or (outputs[0][0], num_classes) == (1, 2)


def save_network(
    path: Path, network: Network, metadata: Metadata, known: KnownPhotos | None = None
) -> None:
    """Write a classifier as one float32 .h5 file, as Keras 3 would: plain Keras opens it.

    It is written beside the old one and renamed over it.

    Args:
        path: ends in .h5; its folder is made where it is missing.
        network: classifier with all its weights.
        metadata: what it is.
        known: what photos of its classes look like to it; None leaves it out.

    Raises:
        DataError: the file cannot be written; an old one is still whole.
        DivergedError: a weight is NaN or infinite; likewise.
    """
    check_finite(path, network.weights)
    keras_version = package_versions().get("keras", _LAYOUT_OF)
    written_by = {"keras_version": keras_version, "backend": backend_name()}
    with replacing(path) as part, hdf5_errors_by_number(), h5py.File(part, "w") as file:
        file.attrs.update(written_by)
        file.attrs["model_config"] = json.dumps(describe_network(network, "catsdogs"))
        weights = file.create_group("model_weights")
        weights.attrs.update(written_by)
        weights.attrs["layer_names"] = [layer.name for layer in network.layers]
        for layer in network.layers:
            group = weights.create_group(layer.name)
            arrays = network.weights.get(layer.name, ())
            names = [f"{layer.name}/{name}" for name in _array_names(layer)[: len(arrays)]]
            group.attrs["weight_names"] = names
            for name, array in zip(names, arrays, strict=True):
                group.create_dataset(name, data=array)
        weights.create_group("top_level_model_weights").attrs["weight_names"] = []
        file.attrs[ATTRIBUTE] = metadata.model_dump_json()
        if known is not None:
            write_known_photos(file, known)


def _array_names(layer: Layer) -> tuple[str, ...]:
    """What Keras calls the weights of a layer, in its order."""
    if isinstance(layer, BatchNormalization):
        return "gamma", "beta", "moving_mean", "moving_variance"
    return "kernel", "bias"


def check_finite(path: Path, weights: Mapping[str, Sequence[np.ndarray]]) -> None:
    """Refuse to save weights, by layer, that are NaN or infinite.

    Raises:
        DivergedError: some are.
    """
    for name, arrays in weights.items():
        if not all(np.isfinite(array).all() for array in arrays):
            raise DivergedError(
                f"{path} is not written: weights of its layer {name} are NaN or infinite"
            )


@contextmanager
def hdf5_errors_by_number() -> Iterator[None]:
    """Turn HDF5's account of a failed write into the system's error that is named in it.

    On a full disk HDF5 raises OSError or RuntimeError, with a text of several lines.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        found = re.search(r"errno = (\d+)", str(error))
        if found is None:
            raise
        number = int(found[1])
        raise OSError(number, os.strerror(number)) from None
