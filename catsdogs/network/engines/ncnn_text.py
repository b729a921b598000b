"""A network in ncnn's own form: a text of its layers, and their weights in its order."""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from catsdogs.network.folding import fold
from catsdogs.network.layers import (
    Activation,
    ActivationName,
    Add,
    AveragePooling,
    Concatenate,
    Convolution,
    Dense,
    DepthwiseConvolution,
    Flatten,
    GlobalAveragePooling,
    GlobalMaxPooling,
    Input,
    Layer,
    MaxPooling,
    Pads,
    Rescaling,
    Window,
    ZeroPadding,
)
from catsdogs.network.network import Network

INPUT_NAME = "b0"
"""The name of the network's input in the text."""

_MAGIC = 7767517  # ncnn's sign of its text format
_IN_FLOAT32 = np.zeros(4, np.uint8)
"""Stands before a kernel, and says that its numbers are float32 as they are."""

_FUSED: dict[ActivationName, str] = {
    "linear": "",
    "softmax": "",  # a layer of its own
    "relu": "9=1",
    "relu6": "9=3 -23310=2,0.0,6.0",
    "sigmoid": "9=4",
}
"""Of convolutions and dense layers: parameter 9 names the activation, 10 its bounds."""

_ALONE: dict[ActivationName, str] = {
    "linear": "Noop",
    "relu": "ReLU",
    "relu6": "Clip 0=0.0 1=6.0",
    "sigmoid": "Sigmoid",
    "softmax": "Softmax 0=0 1=1",  # over axis 0: the channels of a picture, the units of a row
}


def as_ncnn(network: Network) -> tuple[str, list[np.ndarray], list[str]]:
    """Translate a network.

    Args:
        network: with all its weights.

    Returns:
        ncnn's text; its weights, to be written one after the other, most of them views of the
        network's own; and the names in the text of the outputs, in the order of the network's.
        Pictures come out of it with channels first.
    """
    return _Writer(fold(network)).result()


class _Writer:
    """Layers are numbered: their names may hold what the text cannot."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._lines: list[str] = []
        self._weights: list[np.ndarray] = []
        self._num_blobs = 0
        self._waiting: dict[str, Iterator[str]] = {}
        self._uses = Counter(name for layer in network.layers for name in layer.inputs)
        self._uses.update(network.outputs)

    def result(self) -> tuple[str, list[np.ndarray], list[str]]:
        for layer in self._network.layers:
            self._write(layer)
        outputs = [next(self._waiting[name]) for name in self._network.outputs]
        lines = [str(_MAGIC), f"{len(self._lines)} {self._num_blobs}", *self._lines]
        return "\n".join(lines) + "\n", self._weights, outputs

    def _write(self, layer: Layer) -> None:
        inputs = [next(self._waiting[name]) for name in layer.inputs]
        for described in self._described(layer):
            inputs = [self._line(described, inputs)]
        self._offer(layer.name, inputs[0])

    def _line(self, described: str, inputs: list[str], num_outputs: int = 1) -> str:
        """Write a line of the text; the name of its first output."""
        kind, _, parameters = described.partition(" ")
        outputs = [f"b{self._num_blobs + index}" for index in range(num_outputs)]
        self._num_blobs += num_outputs
        counts = f"{len(inputs)} {num_outputs}"
        parts = [kind, f"l{len(self._lines)}", counts, *inputs, *outputs, parameters]
        self._lines.append(" ".join(part for part in parts if part))
        return outputs[0]

    def _offer(self, name: str, blob: str) -> None:
        """What several layers take, or a layer and the caller, has to be split up for them."""
        uses = self._uses[name]
        if uses <= 1:
            self._waiting[name] = iter([blob])
            return
        first = int(self._line("Split", [blob], uses).removeprefix("b"))
        self._waiting[name] = iter([f"b{first + index}" for index in range(uses)])

    def _described(self, layer: Layer) -> Iterator[str]:
        """The lines of a layer, each a kind and its parameters, and its weights."""
        shapes = [self._network.shapes[name] for name in layer.inputs]
        arrays = self._network.weights.get(layer.name, ())
        match layer:
            case Input():
                yield "Input"
            case Rescaling():
                num_channels = shapes[0][-1]
                for numbers in (layer.scale, layer.offset):
                    values = np.broadcast_to(np.array(numbers, np.float32), num_channels)
                    self._weights.append(values)
                yield f"Scale 0={num_channels} 1=1"
            case Convolution():
                self._keep(arrays, (3, 2, 0, 1))
                yield (
                    f"Convolution 0={layer.filters} {_window(layer)} "
                    f"5=1 6={arrays[0].size} {_FUSED[layer.activation]}"
                )
            case DepthwiseConvolution():
                self._keep(arrays, (2, 3, 0, 1))
                num_channels = shapes[0][-1]
                yield (
                    f"ConvolutionDepthWise 0={num_channels} {_window(layer)} "
                    f"5=1 6={arrays[0].size} 7={num_channels} {_FUSED[layer.activation]}"
                )
            case Dense():
                self._keep(arrays, (1, 0))
                yield (
                    f"InnerProduct 0={layer.units} 1=1 2={arrays[0].size} "
                    f"{_FUSED[layer.activation]}"
                )
            case Activation():
                yield _ALONE[layer.activation]
            case ZeroPadding():
                pads = layer.pads
                yield f"Padding 0={pads.top} 1={pads.bottom} 2={pads.left} 3={pads.right} 4=0 5=0"
            case Add():
                yield "Eltwise 0=1"
            case Concatenate():
                yield "Concat 0=0"
            case MaxPooling():
                yield f"Pooling 0=0 {_pooled(layer)}"
            case AveragePooling():
                yield f"Pooling 0=1 {_pooled(layer)} 6=0"
            case GlobalMaxPooling():
                yield "Pooling 0=0 4=1"
            case GlobalAveragePooling():
                yield "Pooling 0=1 4=1"
            case Flatten():
                if len(shapes[0]) == 3:
                    yield "Permute 0=3"  # channels last
                yield "Flatten"
            case _:
                raise TypeError(f"no translation for {type(layer).__name__}")
        if getattr(layer, "activation", "") == "softmax" and not isinstance(layer, Activation):
            yield _ALONE["softmax"]

    def _keep(self, arrays: tuple[np.ndarray, ...], order: tuple[int, ...]) -> None:
        kernel, bias = arrays
        self._weights += [_IN_FLOAT32, kernel.transpose(order), bias]


def _window(layer: Window) -> str:
    pads = _pads(layer)
    return (
        f"1={layer.size[1]} 11={layer.size[0]} 3={layer.strides[1]} 13={layer.strides[0]} "
        f"4={pads.left} 15={pads.right} 14={pads.top} 16={pads.bottom}"
    )


def _pooled(layer: Window) -> str:
    pads = _pads(layer)
    return (
        f"1={layer.size[1]} 11={layer.size[0]} 2={layer.strides[1]} 12={layer.strides[0]} "
        f"3={pads.left} 14={pads.right} 13={pads.top} 15={pads.bottom} 5=1"
    )


def _pads(layer: Window) -> Pads:
    if not isinstance(layer.padding, Pads):
        raise TypeError(f"{layer.name} is not folded")
    return layer.padding
