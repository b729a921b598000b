"""A plain Keras .h5, built in Keras: its layers are admitted before any of them is made.

The network is built from the JSON that was admitted, and the weights are read as numbers. The
optimizer and what else the file holds is left alone.
"""

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import keras

from catsdogs.config import MAX_PIXELS_A_SIDE
from catsdogs.errors import ModelFileError
from catsdogs.model.admission import admit
from catsdogs.model.keras2_config import as_keras3, is_keras2
from catsdogs.model.photo_memory import memory_per_photo
from catsdogs.model.stored_network import build_and_read
from catsdogs.untrusted.boundary import foreign_bytes
from catsdogs.untrusted.hdf5 import read_text, stored_layers

MOST_BYTES_A_PHOTO = 2**30
"""In use at once; VGG16 takes 0.8 GiB for 1024 x 1024 pixels."""


@dataclass(frozen=True)
class PlainNetwork:
    """The network of a plain Keras file.

    Attributes:
        model: raw RGB `(n, height, width, 3)`, 0 to 255, to whatever its one output is,
            `(n, classes)`, or `(n, 1)` for two classes; not compiled.
        bytes_per_photo: memory that an answer for one photo takes.
    """

    model: keras.Model
    bytes_per_photo: int


def load_keras_model(path: Path, file: h5py.File, class_names: Sequence[str]) -> PlainNetwork:
    """Build the network of a plain Keras file.

    Args:
        path: of the file, for messages.
        file: opened by `open_hdf5`.
        class_names: what its outputs are called.

    Raises:
        ModelFileError: the file holds no model, one that is not admitted, one that takes too
            much memory, or one that is no classifier of photos into so many classes.
    """
    text = read_text(file, "model_config")
    if text is None:
        raise ModelFileError(
            f"{path} holds no Keras model, perhaps its weights alone: "
            "save the whole model by model.save('NAME.h5')"
        )
    version = read_text(file, "keras_version")
    if not is_keras2(version):
        return _build(path, file, json.loads(text), class_names)
    with foreign_bytes(
        path,
        ModelFileError,
        "build that network in Keras 3, fill it by model.load_weights(FILE), "
        "and save it by model.save('NAME.h5')",
        f"was written by Keras {version[:20] if version else 2}, and its network cannot be built "
        "by Keras 3",
    ):
        return _build(path, file, as_keras3(json.loads(text)), class_names)


def _build(path: Path, file: h5py.File, config: Any, class_names: Sequence[str]) -> PlainNetwork:
    admit(path, config)
    num_bytes = 0

    def check(outline: keras.Model) -> None:
        nonlocal num_bytes
        size = _check_classifier(path, outline, class_names)
        num_bytes = memory_per_photo(outline, size)
        if num_bytes > MOST_BYTES_A_PHOTO:
            raise ModelFileError(
                f"{path} would take {num_bytes / 2**30:,.1f} GiB of memory for one photo, more "
                f"than {MOST_BYTES_A_PHOTO / 2**30:.0f} GiB: use a model for smaller photos"
            )

    model = build_and_read(lambda: _from_config(config), stored_layers(file), check)
    return PlainNetwork(model, num_bytes)


def _from_config(config: dict[str, Any]) -> keras.Model:
    """Build from an admitted configuration; Keras changes what it is given, so it gets a copy."""
    model_class = keras.Sequential if config["class_name"] == "Sequential" else keras.Model
    return model_class.from_config(copy.deepcopy(config["config"]))


def _check_classifier(
    path: Path, model: keras.Model, class_names: Sequence[str]
) -> tuple[int, int]:
    """Check what goes in and out; height and width of what goes in."""
    shapes = [tuple(tensor.shape) for tensor in getattr(model, "inputs", None) or []]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][3] != 3:
        raise ModelFileError(
            f"{path} takes {_shapes_text(shapes)}: expected one input of RGB photos, "
            "(height, width, 3)"
        )
    kind = str(model.inputs[0].dtype)
    if not kind.startswith(("float", "bfloat", "int", "uint")):
        raise ModelFileError(f"{path} takes {kind[:20]} values: expected numbers, the pixels")
    height, width = shapes[0][1:3]
    if height is None or width is None:
        raise ModelFileError(
            f"{path} takes photos of any size, so it is not known which one to bring them to: "
            "save it with a fixed one, keras.Input((height, width, 3))"
        )
    if not 1 <= min(height, width) <= max(height, width) <= MAX_PIXELS_A_SIDE:
        raise ModelFileError(
            f"{path} takes photos of {height} x {width} pixels: expected up to "
            f"{MAX_PIXELS_A_SIDE} x {MAX_PIXELS_A_SIDE}"
        )
    outputs = [tuple(tensor.shape) for tensor in model.outputs]
    if len(outputs) != 1 or len(outputs[0]) != 2:
        raise ModelFileError(
            f"{path} gives {_shapes_text(outputs)}: expected one probability a class, (classes)"
        )
    num_outputs = outputs[0][1]
    if num_outputs != len(class_names) and (num_outputs, len(class_names)) != (1, 2):
        raise ModelFileError(
            f"{path} has {num_outputs} output{'s' if num_outputs != 1 else ''}, "
            f"but {len(class_names)} classes are named: name as many in their order",
            key="class_names",
        )
    return height, width


def _shapes_text(shapes: Sequence[tuple[int | None, ...]]) -> str:
    texts = (f"({', '.join('any' if n is None else str(n) for n in s[1:])})" for s in shapes)
    return " and ".join(texts) or "nothing known"
