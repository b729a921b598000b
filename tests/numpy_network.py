"""A network computed by the definition of each layer, for tests to compare with."""

import numpy as np

from catsdogs.network import layers as kinds


def compute(network, values):
    """Outputs of a network for one photo, or the features of one, in float64.

    Args:
        network: with all its weights.
        values: array of the input's shape.

    Returns:
        A list of arrays, one for each of the network's outputs.
    """
    outputs = {}
    for layer in network.layers:
        inputs = [outputs[name] for name in layer.inputs]
        weights = [array.astype(np.float64) for array in network.weights.get(layer.name, ())]
        outputs[layer.name] = _compute_layer(layer, inputs or [values.astype(float)], weights)
    return [outputs[name] for name in network.outputs]


def _compute_layer(layer, inputs, weights):
    x = inputs[0]
    match layer:
        case kinds.Input() | kinds.Dropout():
            return x
        case kinds.Rescaling():
            return x * np.array(layer.scale) + np.array(layer.offset)
        case kinds.ZeroPadding():
            return _padded(x, layer.pads, 0)
        case kinds.Convolution():
            windows = _windows(layer, x, 0)
            x = np.einsum("rcijk,ijkf->rcf", windows, weights[0])
            return _activated(x + (weights[1] if layer.use_bias else 0), layer.activation)
        case kinds.DepthwiseConvolution():
            x = np.einsum("rcijk,ijkm->rck", _windows(layer, x, 0), weights[0])
            return _activated(x + (weights[1] if layer.use_bias else 0), layer.activation)
        case kinds.BatchNormalization():
            gamma, beta, mean, variance = weights
            return (x - mean) / np.sqrt(variance + layer.epsilon) * gamma + beta
        case kinds.Activation():
            return _activated(x, layer.activation)
        case kinds.Add():
            return sum(inputs)
        case kinds.Concatenate():
            return np.concatenate(inputs, axis=-1)
        case kinds.MaxPooling():
            return _windows(layer, x, -np.inf).max(axis=(2, 3))
        case kinds.AveragePooling():
            return np.nanmean(_windows(layer, x, np.nan), axis=(2, 3))
        case kinds.GlobalAveragePooling():
            return x.mean(axis=(0, 1))
        case kinds.GlobalMaxPooling():
            return x.max(axis=(0, 1))
        case kinds.Flatten():
            return x.reshape(-1)
        case kinds.Dense():
            x = x @ weights[0] + (weights[1] if layer.use_bias else 0)
            return _activated(x, layer.activation)
    raise TypeError(layer)


def _padded(x, pads, value):
    around = ((pads.top, pads.bottom), (pads.left, pads.right), (0, 0))
    return np.pad(x, around, constant_values=value)


def _windows(layer, x, value):
    """`(rows, columns, window rows, window columns, channels)`."""
    padded = _padded(x, layer.pads(x.shape), value)
    windows = np.lib.stride_tricks.sliding_window_view(padded, layer.size, axis=(0, 1))
    return windows[:: layer.strides[0], :: layer.strides[1]].transpose(0, 1, 3, 4, 2)


def _activated(x, name):
    match name:
        case "relu":
            return np.maximum(x, 0)
        case "relu6":
            return np.clip(x, 0, 6)
        case "sigmoid":
            return 1 / (1 + np.exp(-x))
        case "softmax":
            shifted = np.exp(x - x.max(axis=-1, keepdims=True))
            return shifted / shifted.sum(axis=-1, keepdims=True)
    return x
