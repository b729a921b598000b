"""Weights in fewer bits, for files that are carried about: halves, or bytes with a scale."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from catsdogs.network import layers
from catsdogs.network.network import Network
from catsdogs.network.precision import as_float16

Precision = Literal["float32", "float16", "int8"]
"""What the weights of an exported file are kept in."""


@dataclass(frozen=True)
class StoredArray:
    """An array of weights as it is kept.

    Attributes:
        values: float32, float16, or int8 of -127 to 127.
        scales: what int8 values are multiplied by, float32, one for each output channel;
            empty for the others.
    """

    values: np.ndarray
    scales: np.ndarray

    @property
    def decoded(self) -> np.ndarray:
        """float32, as whoever reads the file computes with it."""
        values = self.values.astype(np.float32)
        return values * _along_channels(self.scales, values) if self.scales.size else values


def store_array(values: np.ndarray, precision: Precision, channel_axis: int) -> StoredArray:
    """Round an array to a precision.

    Args:
        values: float32.
        precision: what it is kept in.
        channel_axis: the axis of output channels: each has a scale of its own.
    """
    no_scales = np.empty(0, np.float32)
    if precision == "float32":
        return StoredArray(np.asarray(values, np.float32), no_scales)
    if precision == "float16":
        return StoredArray(as_float16(values), no_scales)
    others = tuple(axis for axis in range(values.ndim) if axis != channel_axis % values.ndim)
    scales = np.abs(values).max(axis=others) / 127
    scales = np.where(scales > 0, scales, 1).astype(np.float32)
    rounded = np.rint(values / _along_channels(scales, values))
    return StoredArray(rounded.astype(np.int8), scales)


def _along_channels(scales: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Scales of a kernel's output channels, which are its last axis but one or its last."""
    if values.shape[-1] == len(scales):
        return scales
    return scales[:, None]  # a depthwise kernel, (rows, columns, channels, 1)


def kernel_channel_axis(layer: layers.Layer) -> int:
    """The axis of a kernel in Keras' layout that stands for its output channels."""
    return 2 if isinstance(layer, layers.DepthwiseConvolution) else -1


def rounded_network(network: Network, precision: Precision) -> Network:
    """The network as it is after its kernels have been kept in a precision; biases stay whole."""
    weights = {}
    for name, arrays in network.weights.items():
        kernel, *rest = arrays
        stored = store_array(kernel, precision, kernel_channel_axis(network.layer(name)))
        weights[name] = (stored.decoded, *rest)
    return network.with_weights(weights)
