"""Our description of a network as standard Keras layers, which plain Keras opens from a file."""

from collections.abc import Sequence

import keras

from catsdogs.network import layers as described
from catsdogs.network.convolution import convolution_class

_FREE_INITIALIZER = "zeros"
"""Weights are set afterwards: drawing millions of numbers takes time."""


def apply_layers(
    layers: Sequence[described.Layer], images: keras.KerasTensor, policy: keras.DTypePolicy
) -> keras.KerasTensor:
    """Build layers on top of a tensor.

    Args:
        layers: the first is the `Input` that `images` stands for.
        images: `(n, *shape of the input)`.
        policy: of all layers but `Rescaling`, which computes in float32.

    Returns:
        What the last layer gives.

    Raises:
        ValueError: there is no Keras layer for one of them.
    """
    tensors = {layers[0].name: images}
    for layer in layers[1:]:
        inputs = [tensors[name] for name in layer.inputs]
        tensors[layer.name] = _keras_layer(layer, policy)(inputs if len(inputs) > 1 else inputs[0])
    return tensors[layers[-1].name]


def _keras_layer(layer: described.Layer, policy: keras.DTypePolicy) -> keras.layers.Layer:
    common = {"name": layer.name, "dtype": policy}
    match layer:
        case described.Rescaling():
            return keras.layers.Rescaling(
                _number_or_list(layer.scale),
                offset=_number_or_list(layer.offset),
                dtype="float32",
                name=layer.name,
            )
        case described.ZeroPadding():
            pads = layer.pads
            return keras.layers.ZeroPadding2D(
                ((pads.top, pads.bottom), (pads.left, pads.right)), **common
            )
        case described.Convolution():
            return convolution_class(policy)(
                layer.filters,
                layer.size,
                layer.strides,
                padding=_padding(layer),
                activation=layer.activation,
                use_bias=layer.use_bias,
                kernel_initializer=_FREE_INITIALIZER,
                **common,
            )
        case described.DepthwiseConvolution():
            return keras.layers.DepthwiseConv2D(
                layer.size,
                layer.strides,
                padding=_padding(layer),
                activation=layer.activation,
                use_bias=layer.use_bias,
                depthwise_initializer=_FREE_INITIALIZER,
                **common,
            )
        case described.BatchNormalization():
            return keras.layers.BatchNormalization(epsilon=layer.epsilon, **common)
        case described.Activation(activation="relu6"):
            return keras.layers.ReLU(6.0, **common)
        case described.Activation():
            return keras.layers.Activation(layer.activation, **common)
        case described.Add():
            return keras.layers.Add(**common)
        case described.MaxPooling():
            return keras.layers.MaxPooling2D(layer.size, layer.strides, _padding(layer), **common)
    raise ValueError(f"there is no Keras layer for {layer}")


def _number_or_list(values: tuple[float, ...]) -> float | list[float]:
    return values[0] if len(values) == 1 else list(values)


def _padding(layer: described.Window) -> str:
    if isinstance(layer.padding, described.Pads):
        raise ValueError(f"{layer.name} has pads of its own: put a ZeroPadding before it")
    return layer.padding
