"""A network of `keras.applications` rebuilt of standard layers, under names that stay the same.

As Keras builds them, some hold layers that plain Keras does not open from a file (ConvNeXt's
`LayerScale`, MobileNetV3's arithmetic on tensors), networks inside of networks, and layers that
are numbered by what else was built before.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from catsdogs.untrusted.hdf5 import parse_hdf5, read_array, stored_layers

if TYPE_CHECKING:
    import keras

_KINDS = frozenset(
    [
        "activation",
        "add",
        "batch_normalization",
        "conv2d",
        "layer_normalization",
        "max_pooling2d",
        "re_lu",
    ]
)
"""Names that Keras gives to layers without one, and numbers by what was built before."""


def _operations(theirs: "keras.Model") -> "Iterator[tuple[Any, str]]":
    """What a network is made of, in its order, each with the name that it has in ours.

    Layers that are called by their kind alone are numbered from 1; `LayerScale`, which goes into
    the layer below, and arithmetic on tensors have no name.
    """
    import keras

    counts: dict[str, int] = {}
    for operation in theirs.operations:
        kind = re.sub(r"_?\d*$", "", operation.name)
        is_layer = isinstance(operation, keras.layers.Layer)
        if type(operation).__name__ == "LayerScale" or not (is_layer or _is_sum(operation)):
            yield operation, ""
        elif kind in _KINDS:
            counts[kind] = counts.get(kind, 0) + 1
            yield operation, f"{kind}_{counts[kind]}"
        else:
            yield operation, operation.name


def _is_sum(operation: Any) -> bool:
    """Whether an operation adds two tensors: a residual connection that is no layer."""
    return type(operation).__name__ == "Add" and len(operation._inbound_nodes[0].input_tensors) == 2


def rebuilt(
    theirs: "keras.Model", x: "keras.KerasTensor", policy: "keras.DTypePolicy"
) -> "keras.KerasTensor":
    """The same network on top of a tensor, of standard layers alone."""
    import keras

    ours: dict[int, Any] = {}
    for operation, name in _operations(theirs):
        node = operation._inbound_nodes[0]
        inputs = [ours.get(id(tensor)) for tensor in node.input_tensors]
        match operation:
            case keras.layers.InputLayer():
                result = x
            case keras.Sequential():
                result = inputs[0]
                for layer in operation.layers:
                    result = _copy(layer, layer.name, policy)(result)
            case keras.layers.ReLU() if not isinstance(
                node.input_tensors[0]._keras_history.operation, keras.layers.Layer
            ):  # relu6(x + 3) / 6, of which the sum and the quotient are no layers
                result = keras.layers.Activation("hard_sigmoid", name=name, dtype=policy)(inputs[0])
            case _ if not name:
                result = inputs[0]
            case _ if _is_sum(operation):
                result = keras.layers.Add(name=name, dtype=policy)(inputs)
            case _:
                result = _copy(operation, name, policy)(inputs if len(inputs) > 1 else inputs[0])
        ours[id(node.output_tensors[0])] = result
    return ours[id(theirs.output)]


def _copy(
    layer: "keras.layers.Layer", name: str, policy: "keras.DTypePolicy"
) -> "keras.layers.Layer":
    return type(layer).from_config({**layer.get_config(), "name": name, "dtype": policy})


def named_weights(theirs: "keras.Model") -> Iterator[tuple[str, list[np.ndarray]]]:
    """Weights by the names of our layers; a `LayerScale` is multiplied into the layer below."""
    import keras

    scales = {}
    for operation, _ in _operations(theirs):
        if type(operation).__name__ == "LayerScale":
            below = operation.input._keras_history.operation
            scales[below.name] = operation.get_weights()[0]  # (channels,)
    for operation, name in _operations(theirs):
        layers = operation.layers if isinstance(operation, keras.Sequential) else [operation]
        for layer in layers:
            if not name or not getattr(layer, "weights", ()):
                continue
            arrays = layer.get_weights()
            scale = scales.get(layer.name)
            if scale is not None:
                arrays = [array * scale for array in arrays]
            yield (name if layer is operation else layer.name), arrays


def read_weights(theirs: "keras.Model", content: bytes) -> None:
    """Give a network the weights in a Keras .h5, layer by layer, as Keras does.

    Raises:
        ValueError: the weights are of another network.
    """
    with parse_hdf5(content) as file:
        stored = stored_layers(file)
        layers = [layer for layer in theirs.layers if layer.weights]
        if len(layers) != len(stored):
            raise ValueError(f"it has {len(stored)} layers with weights, expected {len(layers)}")
        for layer, of_layer in zip(layers, stored, strict=True):
            variables = [*layer.trainable_weights, *layer.non_trainable_weights]
            if of_layer.shapes != [tuple(variable.shape) for variable in variables]:
                raise ValueError(f"its layer {of_layer.name} has other shapes than {layer.name}")
            for variable, array in zip(variables, of_layer.arrays, strict=True):
                variable.assign(read_array(array))


def draw_weights(theirs: "keras.Model", seed: int) -> None:
    """He-normal kernels: nothing learned, for tests of everything around them."""
    generator = np.random.default_rng(seed)
    for variable in theirs.variables:
        shape = tuple(variable.shape)
        if len(shape) > 1:
            axes = shape[:2] if shape[-1] == 1 and len(shape) == 4 else shape[:-1]  # depthwise
            kernel = generator.normal(0, np.sqrt(2 / np.prod(axes)), shape)
            variable.assign(kernel.astype(np.float32))
        elif variable.name == "gamma":
            variable.assign(np.ones(shape, np.float32))
