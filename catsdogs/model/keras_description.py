"""Our own layers as Keras 3 describes them in .h5 files: the way back of `keras_config`.

Only what every Keras 3 knows is written: what later versions have added stands at its default.
"""

from typing import Any

from catsdogs.network import layers as described
from catsdogs.network.network import Network

Description = dict[str, Any]


def describe_network(network: Network, name: str) -> Description:
    """The JSON value of the attribute `model_config`, for a model called `name`.

    Raises:
        ValueError: a layer is not among those that Keras has.
    """
    return {
        "class_name": "Functional",
        "config": {
            "name": name,
            "trainable": True,
            "layers": [_described(layer, network) for layer in network.layers],
            "input_layers": [network.input.name, 0, 0],
            "output_layers": _outputs(network),
        },
    }


def _outputs(network: Network) -> list[Any]:
    ends: list[Any] = [[name, 0, 0] for name in network.outputs]
    return ends if len(ends) > 1 else ends[0]


def _described(layer: described.Layer, network: Network) -> Description:
    if isinstance(layer, described.Input):
        return {
            "class_name": "InputLayer",
            "config": {
                "batch_shape": [None, *layer.shape],
                "dtype": "float32",
                "sparse": False,
                "name": layer.name,
            },
            "name": layer.name,
            "inbound_nodes": [],
        }
    kind, settings = _settings(layer)
    common = {"name": layer.name, "trainable": True, "dtype": _FLOAT32}
    tensors = [_tensor(name, network.shapes[name]) for name in layer.inputs]
    joins = isinstance(layer, described.Add | described.Concatenate)
    return {
        "class_name": kind,
        "config": common | settings,
        "name": layer.name,
        "inbound_nodes": [{"args": [tensors] if joins else tensors, "kwargs": {}}],
    }


def _object(module: str, kind: str, **settings: Any) -> Description:
    return {"module": module, "class_name": kind, "config": settings, "registered_name": None}


_FLOAT32 = _object("keras", "DTypePolicy", name="float32")
_ZEROS = _object("keras.initializers", "Zeros")
"""Weights are read after the layers are made: drawing millions of numbers takes time."""


def _tensor(layer_name: str, shape: described.Shape) -> Description:
    """What a layer takes: the output of another."""
    return {
        "class_name": "__keras_tensor__",
        "config": {
            "shape": [None, *shape],
            "dtype": "float32",
            "keras_history": [layer_name, 0, 0],
        },
    }


def _settings(layer: described.Layer) -> tuple[str, Description]:
    """Name of the Keras class, and what it is made with."""
    match layer:
        case described.Rescaling():
            return "Rescaling", {"scale": _numbers(layer.scale), "offset": _numbers(layer.offset)}
        case described.ZeroPadding():
            pads = layer.pads
            padding = [[pads.top, pads.bottom], [pads.left, pads.right]]
            return "ZeroPadding2D", {"padding": padding, "data_format": "channels_last"}
        case described.Convolution():
            filters = {"filters": layer.filters, "kernel_initializer": _ZEROS, "groups": 1}
            return "Conv2D", filters | _convolution(layer)
        case described.DepthwiseConvolution():
            channels = {"depth_multiplier": 1, "depthwise_initializer": _ZEROS}
            return "DepthwiseConv2D", channels | _convolution(layer)
        case described.BatchNormalization():
            both = {"center": True, "scale": True}
            return "BatchNormalization", {"axis": -1, "epsilon": layer.epsilon} | both
        case described.Activation(activation="relu6"):
            return "ReLU", {"max_value": 6.0, "negative_slope": 0.0, "threshold": 0.0}
        case described.Activation():
            return "Activation", {"activation": layer.activation}
        case described.Add():
            return "Add", {}
        case described.Concatenate():
            return "Concatenate", {"axis": -1}
        case described.MaxPooling():
            return "MaxPooling2D", {"pool_size": list(layer.size)} | _window(layer)
        case described.AveragePooling():
            return "AveragePooling2D", {"pool_size": list(layer.size)} | _window(layer)
        case described.GlobalAveragePooling():
            return "GlobalAveragePooling2D", {"data_format": "channels_last", "keepdims": False}
        case described.GlobalMaxPooling():
            return "GlobalMaxPooling2D", {"data_format": "channels_last", "keepdims": False}
        case described.Flatten():
            return "Flatten", {"data_format": "channels_last"}
        case described.Dropout():
            return "Dropout", {"rate": layer.rate, "noise_shape": None}
        case described.Dense():
            weighted = _weighted(layer) | {"kernel_initializer": _ZEROS}
            return "Dense", {"units": layer.units} | weighted
    raise ValueError(f"Keras has no layer for {layer}")


def _numbers(values: tuple[float, ...]) -> float | list[float]:
    return values[0] if len(values) == 1 else list(values)


def _window(layer: described.Window) -> Description:
    if isinstance(layer.padding, described.Pads):
        raise ValueError(f"{layer.name} has pads of its own: put a ZeroPadding before it")
    return {
        "strides": list(layer.strides),
        "padding": layer.padding,
        "data_format": "channels_last",
    }


def _weighted(
    layer: described.Convolution | described.DepthwiseConvolution | described.Dense,
) -> Description:
    return {
        "activation": layer.activation,
        "use_bias": layer.use_bias,
        "bias_initializer": _ZEROS,
    }


def _convolution(layer: described.Convolution | described.DepthwiseConvolution) -> Description:
    size = {"kernel_size": list(layer.size), "dilation_rate": [1, 1]}
    return size | _window(layer) | _weighted(layer)
