"""A plain Keras .h5, with its layers admitted from a list before any of them is made.

The configuration in such a file names Python classes, and some of them run code that the
file brings along (`Lambda`), or read and load other files. It is read as JSON, once; every
class in it must stand in the lists below; the network is built from that same JSON, and the
weights are read as numbers. The optimizer and what else the file holds is left alone.
"""

import copy
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import keras

from catsdogs.config import MAX_PIXELS_A_SIDE
from catsdogs.errors import ModelFileError
from catsdogs.network.stored_network import build_and_read
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

MAX_LAYERS = 5_000
MAX_VALUES_A_PHOTO = 2**28
"""Of one layer's output for one photo; VGG16 at 2048 x 2048 gives as many."""


def load_keras_model(path: Path, file: h5py.File, class_names: Sequence[str]) -> keras.Model:
    """Build the network of a plain Keras file.

    Args:
        path: of the file, for messages.
        file: opened by `open_hdf5`.
        class_names: what its outputs are called.

    Returns:
        Keras model, raw RGB `(n, height, width, 3)`, 0 to 255, to whatever its one output is,
        `(n, classes)`, or `(n, 1)` for two classes; not compiled.

    Raises:
        ModelFileError: the file holds no model, one that is not admitted, or one that is no
            classifier of photos into so many classes.
    """
    text = read_text(file, "model_config")
    if text is None:
        raise ModelFileError(
            f"{path} holds no Keras model, perhaps its weights alone: "
            "save the whole model by model.save('NAME.h5')"
        )
    try:
        config = json.loads(text)
    except RecursionError:
        raise damaged(path, "its configuration is nested too deeply") from None
    _admit(path, config)
    return build_and_read(
        lambda: _from_config(config),
        stored_layers(file),
        lambda outline: _check_classifier(path, outline, class_names),
    )


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
    if num_layers > MAX_LAYERS:
        raise damaged(path, f"it has {num_layers:,} layers, more than {MAX_LAYERS:,}")


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


def _check_classifier(path: Path, model: keras.Model, class_names: Sequence[str]) -> None:
    """Check what goes in and out, and that no layer in between makes a photo huge."""
    shapes = [tuple(tensor.shape) for tensor in getattr(model, "inputs", None) or []]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][3] != 3:
        raise ModelFileError(
            f"{path} takes {_shapes_text(shapes)}: expected one input of RGB photos, "
            "(height, width, 3)"
        )
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
    _check_sizes(path, model, max(height, width))


def _shapes_text(shapes: Sequence[tuple[int | None, ...]]) -> str:
    texts = (f"({', '.join('any' if n is None else str(n) for n in s[1:])})" for s in shapes)
    return " and ".join(texts) or "nothing known"


def _check_sizes(path: Path, model: keras.Model, side: int) -> None:
    for layer in model.layers:
        if isinstance(layer, (keras.Model, keras.Sequential)):
            _check_sizes(path, layer, side)
        for tensor in keras.tree.flatten(layer.output):
            num_values = math.prod(side if n is None else n for n in tensor.shape[1:])
            if num_values > MAX_VALUES_A_PHOTO:
                raise damaged(
                    path, f"its layer {layer.name} makes {num_values:,} numbers of one photo"
                )
