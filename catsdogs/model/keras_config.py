"""Keras' description of a network, as JSON, in our own layers; read without Keras."""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from catsdogs.errors import ModelFileError
from catsdogs.network.layers import (
    Activation,
    ActivationName,
    Add,
    AveragePooling,
    BatchNormalization,
    Concatenate,
    Convolution,
    Dense,
    DepthwiseConvolution,
    Dropout,
    Flatten,
    GlobalAveragePooling,
    GlobalMaxPooling,
    Input,
    Layer,
    MaxPooling,
    Padding,
    Pads,
    Rescaling,
    Shape,
    Window,
    ZeroPadding,
)
from catsdogs.network.network import Network
from catsdogs.untrusted.boundary import foreign_bytes

if TYPE_CHECKING:
    import keras

Settings = Mapping[str, Any]


class OtherLayersError(ModelFileError):
    """The network has layers, or settings of layers, that are not in our list."""


def network_from_config(config: Any, arrays: Mapping[str, list[np.ndarray]]) -> Network:
    """Translate a functional or sequential Keras network.

    Args:
        config: `{"class_name": …, "config": …}`, as `model.to_json()` and .h5 files have it,
            of Keras 3 or 2.
        arrays: weights by layer name, in Keras' order.

    Raises:
        OtherLayersError: it is not made of our layers alone, or makes no sense as a network;
            Keras may know more.
    """
    with foreign_bytes("its network", OtherLayersError, damage="cannot be translated"):
        layers, outputs = _layers_of(config)
        network = Network(tuple(layers), {}, outputs)
        return network.with_weights(_weights_of(network, config, arrays))


def network_of(model: "keras.Model") -> Network:
    """A Keras model in our own layers, with copies of its weights.

    Raises:
        OtherLayersError: it is not made of our layers alone.
    """
    arrays = {layer.name: layer.get_weights() for layer in model.layers}
    return network_from_config(json.loads(model.to_json()), arrays)


def _layers_of(config: Any) -> tuple[list[Layer], tuple[str, ...]]:
    kind, inner = config["class_name"], config["config"]
    if kind == "Sequential":
        described = inner["layers"] if isinstance(inner, dict) else inner
        return _sequential(described)
    if kind not in ("Functional", "Model"):
        raise OtherLayersError(f"{kind} is no network")
    layers = []
    for item in inner["layers"]:
        inputs = _inputs_of(item["inbound_nodes"])
        layers.append(_layer_of(item["class_name"], item["config"], inputs))
    if _ends(inner["input_layers"]) != (layers[0].name,):
        raise OtherLayersError("photos come in elsewhere than by the first layer")
    return layers, _ends(inner["output_layers"])


def _sequential(described: list[Any]) -> tuple[list[Layer], tuple[str, ...]]:
    layers: list[Layer] = []
    first = described[0]
    if first["class_name"] != "InputLayer":
        layers.append(Input("input of the network", (), _input_shape(first["config"])))
    for item in described:
        inputs = (layers[-1].name,) if layers else ()
        layers.append(_layer_of(item["class_name"], item["config"], inputs))
    return layers, (layers[-1].name,)


def _ends(outputs: Any) -> tuple[str, ...]:
    """Names in `output_layers`: `["name", 0, 0]`, or a list of such."""
    if outputs and isinstance(outputs[0], str):
        outputs = [outputs]
    return tuple(_source(output) for output in outputs)


def _source(history: Any) -> str:
    name, node, tensor = history[:3]
    if node or tensor:
        raise OtherLayersError(f"{name} is used twice")
    return str(name)


def _inputs_of(nodes: Any) -> tuple[str, ...]:
    if not nodes:
        return ()
    [node] = nodes  # a layer that is used twice is not in our list
    if isinstance(node, dict):  # Keras 3
        if any(value is not None for value in node["kwargs"].values() if value is not False):
            raise OtherLayersError("a layer is called with arguments")
        arguments = node["args"]
        if len(arguments) == 1 and isinstance(arguments[0], list):
            arguments = arguments[0]
        return tuple(_source(argument["config"]["keras_history"]) for argument in arguments)
    for _, _, _, arguments in node:  # Keras 2
        if arguments:
            raise OtherLayersError("a layer is called with arguments")
    return tuple(_source(entry) for entry in node)


def _layer_of(kind: str, settings: Settings, inputs: tuple[str, ...]) -> Layer:
    if settings.get("data_format") not in (None, "channels_last"):
        raise OtherLayersError("channels come first")
    if kind == "InputLayer":
        if not str(settings.get("dtype")).startswith(("float", "bfloat", "int", "uint")):
            raise OtherLayersError(f"photos come as {settings.get('dtype')}")
        return Input(settings["name"], inputs, _input_shape(settings))
    if kind not in _KINDS:
        raise OtherLayersError(f"{kind} is not in our list")
    return _KINDS[kind](settings["name"], inputs, settings)


def _input_shape(settings: Settings) -> Shape:
    shape = settings.get("batch_shape") or settings["batch_input_shape"]
    return tuple(int(length) for length in shape[1:])


def _window(settings: Settings, size_key: str) -> dict[str, Any]:
    padding: Padding = settings["padding"]
    if padding not in ("same", "valid"):
        raise OtherLayersError(f"padding {padding}")
    return {
        "size": _pair(settings[size_key]),
        "strides": _pair(settings["strides"]),
        "padding": padding,
    }


def _pair(value: Any) -> tuple[int, int]:
    rows, columns = (value, value) if isinstance(value, int) else value
    if min(rows, columns) < 1:
        raise OtherLayersError(f"a window of {rows} x {columns}")
    return int(rows), int(columns)


def _expect(settings: Settings, **expected: Any) -> None:
    for key, value in expected.items():
        found = settings.get(key, value)
        if (tuple(found) if isinstance(found, list) else found) != value:
            raise OtherLayersError(f"{key} is {found}")


def _activation(settings: Settings) -> ActivationName:
    for name in get_args(ActivationName):
        if settings.get("activation") == name:
            return name
    raise OtherLayersError(f"activation {settings.get('activation')}")


def _weighted(settings: Settings) -> dict[str, Any]:
    return {"use_bias": bool(settings["use_bias"]), "activation": _activation(settings)}


def _convolution(name: str, inputs: tuple[str, ...], settings: Settings) -> Layer:
    _expect(settings, groups=1, dilation_rate=(1, 1))
    window = _window(settings, "kernel_size")
    filters = int(settings["filters"])
    return Convolution(name, inputs, **window, filters=filters, **_weighted(settings))


def _depthwise(name: str, inputs: tuple[str, ...], settings: Settings) -> Layer:
    _expect(settings, depth_multiplier=1, dilation_rate=(1, 1))
    window = _window(settings, "kernel_size")
    return DepthwiseConvolution(name, inputs, **window, **_weighted(settings))


def _dense(name: str, inputs: tuple[str, ...], settings: Settings) -> Layer:
    return Dense(name, inputs, int(settings["units"]), **_weighted(settings))


def _normalization(name: str, inputs: tuple[str, ...], settings: Settings) -> Layer:
    if settings["axis"] not in (3, -1, [3], [-1]):
        raise OtherLayersError(f"axis {settings['axis']}")
    return BatchNormalization(name, inputs, float(settings["epsilon"]))


def _rescaling(name: str, inputs: tuple[str, ...], settings: Settings) -> Layer:
    scale, offset = (_numbers(settings[key]) for key in ("scale", "offset"))
    return Rescaling(name, inputs, scale, offset)


def _numbers(value: Any) -> tuple[float, ...]:
    if isinstance(value, dict):  # a NumPy array, as Keras writes it
        value = value["config"]["value"]
    return tuple(map(float, value)) if isinstance(value, list) else (float(value),)


def _zero_padding(name: str, inputs: tuple[str, ...], settings: Settings) -> Layer:
    (top, bottom), (left, right) = settings["padding"]
    return ZeroPadding(name, inputs, Pads(top, bottom, left, right))


def _relu(name: str, inputs: tuple[str, ...], settings: Settings) -> Layer:
    _expect(settings, negative_slope=0.0, threshold=0.0)
    most = settings["max_value"]
    if most not in (None, 6):
        raise OtherLayersError(f"max_value {most}")
    return Activation(name, inputs, "relu" if most is None else "relu6")


def _softmax(name: str, inputs: tuple[str, ...], settings: Settings) -> Layer:
    _expect(settings, axis=-1)
    return Activation(name, inputs, "softmax")


def _pooling(kind: Callable[..., Window]) -> Callable[..., Layer]:
    def make(name: str, inputs: tuple[str, ...], settings: Settings) -> Layer:
        return kind(name, inputs, **_window(settings, "pool_size"))

    return make


def _global(kind: Callable[..., Layer]) -> Callable[..., Layer]:
    def make(name: str, inputs: tuple[str, ...], settings: Settings) -> Layer:
        _expect(settings, keepdims=False)
        return kind(name, inputs)

    return make


def _concatenate(name: str, inputs: tuple[str, ...], settings: Settings) -> Layer:
    _expect(settings, axis=-1)
    return Concatenate(name, inputs)


_KINDS: dict[str, Callable[[str, tuple[str, ...], Settings], Layer]] = {
    "Rescaling": _rescaling,
    "ZeroPadding2D": _zero_padding,
    "Conv2D": _convolution,
    "FastGradientConv2D": _convolution,  # ours, which trains another way to the same
    "DepthwiseConv2D": _depthwise,
    "BatchNormalization": _normalization,
    "Activation": lambda name, inputs, it: Activation(name, inputs, _activation(it)),
    "ReLU": _relu,
    "Softmax": _softmax,
    "Add": lambda name, inputs, _: Add(name, inputs),
    "Concatenate": _concatenate,
    "MaxPooling2D": _pooling(MaxPooling),
    "AveragePooling2D": _pooling(AveragePooling),
    "GlobalAveragePooling2D": _global(GlobalAveragePooling),
    "GlobalMaxPooling2D": _global(GlobalMaxPooling),
    "Flatten": lambda name, inputs, _: Flatten(name, inputs),
    "Dropout": lambda name, inputs, it: Dropout(name, inputs, float(it["rate"])),
    "Dense": _dense,
}


def _weights_of(
    network: Network, config: Any, arrays: Mapping[str, list[np.ndarray]]
) -> dict[str, tuple[np.ndarray, ...]]:
    """Weights by layer; a batch normalisation gets those that its Keras layer leaves out."""
    inner = config["config"]
    described = inner["layers"] if isinstance(inner, dict) else inner
    settings = {item["config"]["name"]: item["config"] for item in described}
    weights = {}
    for name, shapes in network.weight_shapes.items():
        found = list(arrays[name])
        if isinstance(network.layer(name), BatchNormalization):
            if not settings[name]["scale"]:
                found.insert(0, np.ones(shapes[0], np.float32))
            if not settings[name]["center"]:
                found.insert(1, np.zeros(shapes[0], np.float32))
        weights[name] = tuple(found)
    unknown = {name for name, found in arrays.items() if found} - set(weights)
    if unknown:
        raise OtherLayersError(f"{min(unknown)} has weights")
    return weights
