"""A plain Keras .h5, with its layers admitted from a list before any of them is made.

The configuration in such a file names Python classes, and some of them run code that the
file brings along (`Lambda`), or read and load other files. It is read as JSON, once; every
class in it must stand in the lists below; the network is built from that same JSON, and the
weights are read as numbers. The optimizer and what else the file holds is left alone.
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
from catsdogs.network.keras2_config import as_keras3, is_keras2
from catsdogs.network.photo_memory import memory_per_photo
from catsdogs.network.stored_network import build_and_read
from catsdogs.untrusted.boundary import foreign_bytes
from catsdogs.untrusted.hdf5 import damaged, read_text, stored_layers

ADMITTED_LAYERS = frozenset(
    """
    InputLayer Functional Sequential Model
    Dense Conv1D Conv2D DepthwiseConv2D SeparableConv2D
    MaxPooling2D AveragePooling2D GlobalMaxPooling2D GlobalAveragePooling2D
    BatchNormalization LayerNormalization GroupNormalization UnitNormalization
    Normalization SpectralNormalization Rescaling Resizing CenterCrop
    Activation ReLU LeakyReLU PReLU ELU Softmax
    Dropout SpatialDropout2D GaussianDropout GaussianNoise AlphaDropout
    Flatten Reshape Permute ZeroPadding2D Cropping2D
    Add Subtract Multiply Average Maximum Minimum Concatenate Dot
    Attention MultiHeadAttention
    RandomBrightness RandomContrast RandomCrop RandomFlip RandomRotation
    RandomTranslation RandomZoom
    """.split()  # noqa: SIM905 - for reading
)
"""What photo classifiers are made of. Not among them: `Lambda` and the wrappers of other
frameworks' code, layers that read files, and those that make large things of small ones."""

ADMITTED_SETTINGS = frozenset(
    """
    DTypePolicy __keras_tensor__
    Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity LecunNormal LecunUniform
    Ones Orthogonal RandomNormal RandomUniform TruncatedNormal VarianceScaling Zeros
    L1 L2 L1L2 OrthogonalRegularizer
    MaxNorm MinMaxNorm NonNeg UnitNorm
    """.split()  # noqa: SIM905 - for reading
)
"""What the layers' own settings may be made of: precision, initial values, penalties."""

ADMITTED_MODULES = frozenset(
    {"keras", "keras.layers", "keras.models", "keras.initializers"}
    | {"keras.regularizers", "keras.constraints"}
)

MOST_LAYERS = 5_000
MOST_USES = 20_000
"""Of layers, with each use of a network inside of another one counted as all of its own."""

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
    _admit(path, config)
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


def _admit(path: Path, config: Any) -> None:
    """Refuse a configuration with any class that is not in the lists."""
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        raise damaged(path, "its configuration describes no network")
    if config.get("class_name") not in ("Functional", "Model", "Sequential"):
        raise _refusal(path, config.get("class_name"))
    num_layers = 0
    waiting: list[Any] = [config]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += item
        elif isinstance(item, dict):
            waiting += item.values()
            if "class_name" in item or "registered_name" in item or "module" in item:
                num_layers += _admit_class(path, item)
    if num_layers > MOST_LAYERS:
        raise damaged(path, f"it has {num_layers:,} layers, more than {MOST_LAYERS:,}")
    if _num_uses(config) > MOST_USES:
        raise damaged(path, f"its layers are used more than {MOST_USES:,} times")


def _num_uses(item: dict[str, Any]) -> int:
    """How often layers are used in an admitted network, with the networks inside of it."""
    layers = item["config"].get("layers") if isinstance(item.get("config"), dict) else None
    if not isinstance(layers, list):
        return 1
    return sum(
        _num_uses(layer) * max(1, len(layer.get("inbound_nodes") or ()))
        for layer in layers
        if isinstance(layer, dict)
    )


def _admit_class(path: Path, item: dict[str, Any]) -> bool:
    """Whether an admitted class is a layer's."""
    name = item.get("class_name")
    admitted = isinstance(name, str) and (name in ADMITTED_LAYERS or name in ADMITTED_SETTINGS)
    module = item.get("module", "keras")
    known = isinstance(module, str) and module in ADMITTED_MODULES
    if not admitted or not known or item.get("registered_name") not in (None, name):
        raise _refusal(path, item.get("registered_name") or name)
    return name in ADMITTED_LAYERS


def _refusal(path: Path, name: Any) -> ModelFileError:
    return ModelFileError(
        f"{path} is not opened, because its network has {str(name)[:100]} in it, which is none "
        "of the standard layers: use a model of standard Keras layers alone"
    )


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
            f"--classes names {len(class_names)} classes: "
            "name as many, in their order"
        )
    return height, width


def _shapes_text(shapes: Sequence[tuple[int | None, ...]]) -> str:
    texts = (f"({', '.join('any' if n is None else str(n) for n in s[1:])})" for s in shapes)
    return " and ".join(texts) or "nothing known"
