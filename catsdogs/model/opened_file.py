"""A model file opened for answers: by ncnn without Keras, or by Keras."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from catsdogs.model.keras_config import network_of
from catsdogs.model.known_photos import KnownPhotos
from catsdogs.model.metadata import Metadata
from catsdogs.model.network_file import read_network
from catsdogs.network.backend import import_backend
from catsdogs.network.engines.engine import Engine
from catsdogs.network.network import Network, pooling_layer
from catsdogs.network.precision import choose_precision
from catsdogs.untrusted.hdf5 import damaged

_BATCH_BYTES = 2**30
"""Memory that the photos of a batch may take in a stranger's network."""


@dataclass(frozen=True)
class OpenedFile:
    """A model file that has been read, and how engines for it are made.

    Attributes:
        head: gives the name of the layer whose maps are pooled, and the network above it; raises
            `OtherLayersError` where that has other layers than ours.
        make_engine: takes names of layers, whose outputs the engine gives (of none: the
            network's), and how many photos it will be asked for.
        is_turned: some layers take channels first.
        known: what photos of its classes look like to it; None where the file does not say.
        measured: names of the layer whose output is what `known` measures, and of the last.
    """

    class_names: tuple[str, ...]
    metadata: Metadata | None
    image_size: tuple[int, int]
    head: Callable[[], tuple[str, Network]]
    make_engine: Callable[[tuple[str, ...], int | None], Engine]
    is_turned: bool = False
    known: KnownPhotos | None = None
    measured: tuple[str, ...] = ()


def open_for_ncnn(path: Path, class_names: Sequence[str] | None) -> OpenedFile | None:
    """Read a model file of our layers for ncnn, without Keras.

    Returns:
        None where Keras has to open the file, or to say what is wrong with it.

    Raises:
        ModelFileError: the file is missing, damaged, or of a newer format.
    """
    from catsdogs.network.engines.ncnn_engine import NcnnEngine

    stored = read_network(path, class_names)
    if stored is None:
        return None
    network = stored.network

    def make_engine(names: tuple[str, ...], num_photos: int | None) -> Engine:
        return NcnnEngine(network.up_to(*names) if names else network)

    def head() -> tuple[str, Network]:
        pooled = pooling_layer(network).inputs[0]
        return pooled, network.above(pooled)

    height, width, _ = network.input.shape
    measured: tuple[str, ...] = ()
    if stored.known is not None:
        pooled = pooling_layer(network).name
        _check_known(path, stored.known, math.prod(network.shapes[pooled]))
        measured = (pooled, network.outputs[0])
    return OpenedFile(
        stored.class_names,
        stored.metadata,
        (height, width),
        head,
        make_engine,
        known=stored.known,
        measured=measured,
    )


def open_for_keras(
    path: Path, class_names: Sequence[str] | None, setting: str, warn: Callable[[str], None]
) -> OpenedFile:
    """Build a model file's network in Keras.

    Args:
        path: of the file.
        class_names: of a plain Keras file.
        setting: of the precision.
        warn: told in a line where the device's memory asks for smaller batches.

    Raises:
        ModelFileError: the file is missing, damaged, not admitted, or has other classes.
        ConfigError: `class_names` are no names of different classes.
    """
    import_backend()
    import keras

    from catsdogs.model.model_file import open_model
    from catsdogs.network.classifier import POOLING_NAME, feature_layer, split_at
    from catsdogs.network.engines.keras_engine import KerasEngine, forward_batch_size

    precision = choose_precision(setting)
    opened = open_model(path, precision.policy, class_names)
    model, size = opened.model, opened.image_size

    def make_engine(names: tuple[str, ...], num_photos: int | None) -> Engine:
        asked = model
        if names:
            asked = keras.Model(model.input, [model.get_layer(name).output for name in names])
        batch_size = forward_batch_size(size)
        if opened.bytes_per_photo:
            batch_size = max(1, min(batch_size, _BATCH_BYTES // opened.bytes_per_photo))
        batch_size = min(batch_size, num_photos or batch_size)
        return KerasEngine(asked, precision.name, warn, batch_size)

    def head() -> tuple[str, Network]:
        pooled = feature_layer(model).name
        return pooled, network_of(split_at(model, pooled)[1])

    measured: tuple[str, ...] = ()
    if opened.known is not None:
        _check_known(path, opened.known, math.prod(model.get_layer(POOLING_NAME).output.shape[1:]))
        measured = (POOLING_NAME, model.layers[-1].name)
    settings = (layer.get_config() for layer in model.layers)
    return OpenedFile(
        opened.class_names,
        opened.metadata,
        size,
        head,
        make_engine,
        any(found.get("data_format") == "channels_first" for found in settings),
        opened.known,
        measured,
    )


def _check_known(path: Path, known: KnownPhotos, num_features: int) -> None:
    if len(known.mean) != num_features:
        raise damaged(
            path, f"it knows photos by {len(known.mean):,} features, and pools {num_features:,}"
        )
