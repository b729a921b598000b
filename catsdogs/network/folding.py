"""A network for answers alone: fewer layers, no training in them, nothing left implicit."""

import dataclasses
from collections import Counter

import numpy as np

from catsdogs.network.layers import (
    Activation,
    BatchNormalization,
    Convolution,
    Dense,
    DepthwiseConvolution,
    Dropout,
    Layer,
    Pads,
    Rescaling,
    Shape,
    Window,
    ZeroPadding,
)
from catsdogs.network.network import Network

Weighted = Convolution | DepthwiseConvolution | Dense
Arrays = tuple[np.ndarray, ...]


def fold(network: Network) -> Network:
    """Simplify a network without a change to what it computes, but for rounding.

    Batch normalisation goes into the convolution or dense layer before it, and becomes a
    `Rescaling` where there is none; activations and zero padding go into their convolutions;
    dropout disappears; `same` and `valid` become pads in numbers; every convolution and dense
    layer has a bias. What takes in the layers after it takes over the name of the last.

    Args:
        network: with all its weights.

    Returns:
        A network whose layers are `Input`, `Rescaling`, `Convolution`, `DepthwiseConvolution`,
        `Dense`, `Activation`, `Add`, `Concatenate`, poolings, `Flatten`, and `ZeroPadding` only
        where no convolution follows it.
    """
    return _Folding(network).result()


class _Folding:
    """Goes through the layers once; each is taken into the one before it, or stays."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._layers: dict[str, Layer] = {}
        self._weights: dict[str, Arrays] = {}
        self._renamed: dict[str, str] = {}
        self._num_uses = Counter(name for layer in network.layers for name in layer.inputs)
        self._num_uses.update(network.outputs)

    def result(self) -> Network:
        for layer in self._network.layers:
            shapes = [self._network.shapes[name] for name in layer.inputs]
            inputs = tuple(self._renamed.get(name, name) for name in layer.inputs)
            self._add(dataclasses.replace(layer, inputs=inputs), shapes)
        outputs = tuple(self._renamed.get(name, name) for name in self._network.outputs)
        return Network(tuple(self._layers.values()), self._weights, outputs)

    def _add(self, layer: Layer, shapes: list[Shape]) -> None:
        """Add a layer, or let the one before it take it in."""
        match layer:
            case Dropout():
                self._renamed[layer.name] = layer.inputs[0]
                # whoever takes the dropout takes its input now
                self._num_uses[layer.inputs[0]] += self._num_uses[layer.name] - 1
            case BatchNormalization():
                self._add_normalization(layer)
            case Activation() if (taker := self._taker(layer)) is not None:
                self._replace(taker, dataclasses.replace(taker, activation=layer.activation), layer)
            case Window():
                self._add_window(layer, shapes[0])
            case Dense():
                self._add_weighted(layer)
            case _:
                self._layers[layer.name] = layer

    def _add_window(self, layer: Window, shape: Shape) -> None:
        pads = layer.pads(shape)
        before = self._layers[layer.inputs[0]]
        if not isinstance(layer, Convolution | DepthwiseConvolution):
            self._layers[layer.name] = dataclasses.replace(layer, padding=pads)
            return
        if isinstance(before, ZeroPadding) and self._num_uses[before.name] == 1:
            del self._layers[before.name]
            pads = Pads(*(a + b for a, b in zip(pads, before.pads, strict=True)))
            layer = dataclasses.replace(layer, inputs=before.inputs)
        self._add_weighted(dataclasses.replace(layer, padding=pads))

    def _add_weighted(self, layer: Weighted) -> None:
        arrays = self._network.weights[layer.name]
        kernel = np.asarray(arrays[0], np.float32)
        num_outputs = (
            kernel.shape[2] if isinstance(layer, DepthwiseConvolution) else kernel.shape[-1]
        )
        bias = arrays[1] if layer.use_bias else np.zeros(num_outputs)
        self._layers[layer.name] = dataclasses.replace(layer, use_bias=True)
        self._weights[layer.name] = kernel, np.asarray(bias, np.float32)

    def _add_normalization(self, layer: BatchNormalization) -> None:
        arrays = (array.astype(np.float64) for array in self._network.weights[layer.name])
        gamma, beta, mean, variance = arrays
        factor = gamma / np.sqrt(variance + layer.epsilon)  # (channels,)
        offset = beta - mean * factor
        taker = self._taker(layer)
        if taker is None:
            scaled = Rescaling(
                layer.name, layer.inputs, tuple(factor.tolist()), tuple(offset.tolist())
            )
            self._layers[layer.name] = scaled
            return
        kernel, bias = self._weights[taker.name]
        # the channels of a depthwise kernel are its third axis: (rows, columns, channels, 1)
        by_filter = factor[:, None] if isinstance(taker, DepthwiseConvolution) else factor
        self._weights[taker.name] = (
            (kernel * by_filter).astype(np.float32),
            (bias * factor + offset).astype(np.float32),
        )
        self._replace(taker, taker, layer)

    def _taker(self, layer: Layer) -> Weighted | None:
        """The layer before, where it can take this one in: its sums go nowhere else."""
        before = self._layers[layer.inputs[0]]
        if not isinstance(before, Convolution | DepthwiseConvolution | Dense):
            return None
        if before.activation == "linear" and self._num_uses[before.name] == 1:
            return before
        return None

    def _replace(self, taker: Weighted, new: Weighted, taken: Layer) -> None:
        """Put a layer under the name of the one it has taken in, at the end of the order."""
        del self._layers[taker.name]
        self._layers[taken.name] = dataclasses.replace(new, name=taken.name)
        self._weights[taken.name] = self._weights.pop(taker.name)
