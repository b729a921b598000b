"""Which Keras networks are let in: every class in their configuration must be on a list.

The configuration in a .h5 file names Python classes, and some of them run code that the file
brings along (`Lambda`), or read and load other files. It is read as JSON, once, and nothing is
made of it before every class in it was found in the lists below.
"""

from pathlib import Path
from typing import Any

from catsdogs.errors import ModelFileError
from catsdogs.untrusted.hdf5 import damaged

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


def admit(path: Path, config: Any) -> None:
    """Refuse a configuration with any class that is not in the lists.

    Args:
        path: of its file, for messages.
        config: JSON values, not nested deeper than Python's stack.

    Raises:
        ModelFileError: it is refused, or describes no network.
    """
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
