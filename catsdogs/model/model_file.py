"""The .h5 file: the whole classifier for plain Keras, and what it is in one attribute."""

import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import keras

from catsdogs.errors import ConfigError, ModelFileError
from catsdogs.files import replacing
from catsdogs.model.known_photos import KnownPhotos, read_known_photos, write_known_photos
from catsdogs.model.metadata import (
    ATTRIBUTE,
    Metadata,
    metadata_of,
    no_metadata,
    problem_of_names,
)
from catsdogs.model.network_file import check_finite, hdf5_errors_by_number
from catsdogs.model.plain_keras_file import load_keras_model
from catsdogs.model.stored_network import build_and_read
from catsdogs.network.classifier import build_classifier
from catsdogs.untrusted.hdf5 import damaged, open_hdf5, stored_layers


def save_model(
    path: Path, model: keras.Model, metadata: Metadata, known: KnownPhotos | None = None
) -> None:
    """Write a classifier as one float32 .h5 file, beside the old one and renamed over it.

    Args:
        path: ends in .h5; its folder is made where it is missing.
        model: classifier, in whatever precision.
        metadata: what it is.
        known: what photos of its classes look like to it; None leaves it out.

    Raises:
        DataError: the file cannot be written; an old one is still whole.
        DivergedError: a weight is NaN or infinite; likewise.
    """
    float32 = build_classifier(
        metadata.architecture, len(metadata.class_names), keras.DTypePolicy("float32")
    )
    float32.set_weights(model.get_weights())
    check_finite(path, {layer.name: layer.get_weights() for layer in float32.layers})
    with replacing(path) as part, hdf5_errors_by_number():
        with _without_legacy_warning():
            float32.save(part, include_optimizer=False)
        with h5py.File(part, "r+") as file:
            file.attrs[ATTRIBUTE] = metadata.model_dump_json()
            if known is not None:
                write_known_photos(file, known)


def copy_model(source: Path, target: Path) -> None:
    """Copy a model file, whole or not at all."""
    with replacing(target) as part:
        shutil.copyfile(source, part)


def load_model(path: Path, policy: keras.DTypePolicy) -> tuple[keras.Model, Metadata]:
    """Open a model file of catsdogs.

    The network is built from the metadata, once they are known to fit the weights, and the
    weights are read as numbers: nothing in the file is executed.

    Args:
        path: a file that `save_model` wrote.
        policy: what the convolutions shall compute in.

    Returns:
        The classifier, raw RGB `(n, height, width, 3)`, 0 to 255, to float32 probabilities
        `(n, classes)`, not compiled; and what it is.

    Raises:
        ModelFileError: the file is missing, damaged, or not one of ours.
    """
    with open_hdf5(path) as file:
        metadata = metadata_of(path, file)
        if metadata is None:
            raise no_metadata(path)
        return _load_own(path, file, metadata, policy), metadata


@dataclass(frozen=True)
class OpenedModel:
    """A model to ask, whoever wrote its file.

    Attributes:
        model: raw RGB `(n, height, width, 3)`, 0 to 255, to `(n, classes)`, or to `(n, 1)`,
            the second of two classes; not compiled.
        class_names: in the order of the output.
        metadata: what the file says about itself; None for a plain Keras file.
        bytes_per_photo: memory that an answer for one photo takes; 0 where it is not known.
        known: what photos of its classes look like to it; None where the file does not say.
    """

    model: keras.Model
    class_names: tuple[str, ...]
    metadata: Metadata | None
    bytes_per_photo: int = 0
    known: KnownPhotos | None = None

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the input, in pixels."""
        height, width = self.model.input_shape[1:3]
        return height, width


def open_model(
    path: Path, policy: keras.DTypePolicy, class_names: Sequence[str] | None = None
) -> OpenedModel:
    """Open a model file of catsdogs, or of plain Keras where its classes are named.

    Args:
        path: the file.
        policy: what the convolutions shall compute in; a plain Keras file has its own.
        class_names: in the order of the output; needed for a plain Keras file alone.

    Raises:
        ModelFileError: the file is missing, damaged, not admitted, or has other classes.
        ConfigError: `class_names` are no names of different classes.
    """
    if class_names is not None:
        _check_names(class_names)
    with open_hdf5(path) as file:
        metadata = metadata_of(path, file)
        if metadata is None:
            if class_names is None:
                raise no_metadata(path)
            plain = load_keras_model(path, file, class_names)
            return OpenedModel(plain.model, tuple(class_names), None, plain.bytes_per_photo)
        if class_names is not None and tuple(class_names) != metadata.class_names:
            raise ModelFileError(
                f"{path} has the classes {', '.join(metadata.class_names)}, not "
                f"{', '.join(class_names)}: name these in this order",
                key="class_names",
            )
        return OpenedModel(
            _load_own(path, file, metadata, policy),
            metadata.class_names,
            metadata,
            known=read_known_photos(file),
        )


def _load_own(
    path: Path, file: h5py.File, metadata: Metadata, policy: keras.DTypePolicy
) -> keras.Model:
    num_classes = len(metadata.class_names)
    stored = stored_layers(file)
    num_outputs = stored[-1].arrays[-1].size if stored else 0
    if num_outputs != num_classes:
        raise damaged(path, f"it names {num_classes} classes and has {num_outputs} outputs")
    return build_and_read(
        lambda: build_classifier(metadata.architecture, num_classes, policy), stored
    )


def _check_names(class_names: Sequence[str]) -> None:
    problem = problem_of_names(class_names)
    if problem:
        raise ConfigError(
            f"{', '.join(class_names)!r} are no classes of a model ({problem}): name others",
            key="class_names",
        )


@contextmanager
def _without_legacy_warning() -> Iterator[None]:
    """Silence Keras' line that .h5 is a legacy format: here it is the wanted one."""

    def admits(record: logging.LogRecord) -> bool:
        return "considered legacy" not in record.getMessage()

    logger = logging.getLogger("absl")
    logger.addFilter(admits)
    try:
        yield
    finally:
        logger.removeFilter(admits)
