"""A network as a list of layers with its weights: cut, counted, simplified."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from catsdogs.network.layers import (
    Flatten,
    GlobalAveragePooling,
    GlobalMaxPooling,
    Input,
    Layer,
    Shape,
)

_BYTES_PER_VALUE = 4  # float32


@dataclass(frozen=True, eq=False)
class Network:
    """Layers in an order in which they can be computed, and their weights.

    Attributes:
        layers: the first is the only `Input`; each other takes outputs of earlier ones.
        weights: by layer name, float32 arrays in Keras' order and layout. Layers may be left
            out where only shapes are asked for.
        outputs: names of the layers whose outputs are wanted; by default, the last one's.

    Raises:
        ValueError: a layer does not fit its inputs, or weights their layer.
    """

    layers: tuple[Layer, ...]
    weights: Mapping[str, tuple[np.ndarray, ...]] = field(default_factory=dict, repr=False)
    outputs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.layers or not isinstance(self.layers[0], Input):
            raise ValueError("a network begins with its input")
        if not self.outputs:
            object.__setattr__(self, "outputs", (self.layers[-1].name,))
        shapes = self.shapes
        if unknown := [name for name in self.outputs if name not in shapes]:
            raise ValueError(f"the network has no layer {unknown[0]}")
        expected = self.weight_shapes
        for name, arrays in self.weights.items():
            found = tuple(array.shape for array in arrays)
            if found != expected.get(name):
                raise ValueError(
                    f"the weights of {name} have the shapes {found}, "
                    f"its layer has {expected.get(name)}"
                )

    @property
    def input(self) -> Input:
        """The layer that photos, or features, come in by."""
        first = self.layers[0]
        if not isinstance(first, Input):  # refused when it was made
            raise ValueError("a network begins with its input")
        return first

    @cached_property
    def shapes(self) -> Mapping[str, Shape]:
        """Shape of each layer's output for one photo."""
        shapes: dict[str, Shape] = {}
        for number, layer in enumerate(self.layers):
            if layer.name in shapes:
                raise ValueError(f"two layers are called {layer.name}")
            if missing := [name for name in layer.inputs if name not in shapes]:
                raise ValueError(f"{layer.name} takes {missing[0]}, which does not come before it")
            if isinstance(layer, Input) != (number == 0) or bool(layer.inputs) != (number > 0):
                raise ValueError(f"{layer.name} has no input, or is a second one")
            shapes[layer.name] = layer.output_shape(*(shapes[name] for name in layer.inputs))
        return shapes

    @cached_property
    def weight_shapes(self) -> Mapping[str, tuple[Shape, ...]]:
        """Shapes of the weights of each layer that has any, in the order of the layers."""
        shapes = {
            layer.name: layer.weight_shapes(*self._input_shapes(layer)) for layer in self.layers
        }
        return {name: found for name, found in shapes.items() if found}

    def layer(self, name: str) -> Layer:
        """Find a layer by its name.

        Raises:
            ValueError: there is none.
        """
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise ValueError(f"the network has no layer {name}")

    @property
    def output_shapes(self) -> list[Shape]:
        """Shapes of the wanted outputs, for one photo."""
        return [self.shapes[name] for name in self.outputs]

    @property
    def num_parameters(self) -> int:
        """Numbers in all weights, moving statistics included."""
        return sum(math.prod(shape) for shapes in self.weight_shapes.values() for shape in shapes)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds for one photo, by the direct way of computing each layer."""
        return sum(layer.multiply_adds(*self._input_shapes(layer)) for layer in self.layers)

    @property
    def bytes_per_photo(self) -> int:
        """What has to be in memory at once at most, in float32: the outputs still needed.

        A layer's output lives until the last layer that takes it has been computed.
        """
        last_use = {name: number for number, at in enumerate(self.layers) for name in at.inputs}
        last_use |= dict.fromkeys(self.outputs, len(self.layers))
        alive: set[str] = set()
        most = 0
        for number, layer in enumerate(self.layers):
            alive.add(layer.name)
            most = max(most, sum(math.prod(self.shapes[name]) for name in alive))
            alive = {name for name in alive if last_use.get(name, -1) > number}
        return most * _BYTES_PER_VALUE

    def up_to(self, *outputs: str) -> "Network":
        """The part that the outputs of some layers need: a trunk.

        Raises:
            ValueError: there is no layer of such a name.
        """
        needed = set(outputs) | {self.layers[0].name}
        for layer in reversed(self.layers):
            if layer.name in needed:
                needed |= set(layer.inputs)
        return self._part([at for at in self.layers if at.name in needed], outputs)

    def above(self, name: str) -> "Network":
        """The part above a layer, which takes that layer's output as its input, by its name.

        Raises:
            ValueError: there is no such layer, or the rest needs another layer below it too.
        """
        known = {name}
        rest: list[Layer] = [Input(name, (), self.shapes[self.layer(name).name])]
        needed = {layer.name for layer in self.up_to(*self.outputs).layers}
        below = {layer.name for layer in self.up_to(name).layers}
        for layer in self.layers:
            if layer.name not in needed or layer.name in below:
                continue
            if not set(layer.inputs) <= known:
                raise ValueError(f"the network cannot be cut at {name}: {layer.name} goes round it")
            known.add(layer.name)
            rest.append(layer)
        if not set(self.outputs) <= known:
            raise ValueError(f"the network cannot be cut at {name}: an output lies below it")
        return self._part(rest, self.outputs)

    def with_weights(self, weights: Mapping[str, tuple[np.ndarray, ...]]) -> "Network":
        """The same layers with these weights in place of, or beside, those they have.

        Raises:
            ValueError: weights do not fit their layers.
        """
        return Network(self.layers, {**self.weights, **weights}, self.outputs)

    def fingerprint(self) -> str:
        """A hash (hex) of layers and weights: networks that have the same compute the same.

        Raises:
            ValueError: weights are missing.
        """
        digest = hashlib.sha256(repr((self.layers, self.outputs)).encode())
        for name in self.weight_shapes:
            if name not in self.weights:
                raise ValueError(f"the network has no weights for {name}")
            for array in self.weights[name]:
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def _part(self, layers: Sequence[Layer], outputs: tuple[str, ...]) -> "Network":
        names = {layer.name for layer in layers}
        weights = {name: arrays for name, arrays in self.weights.items() if name in names}
        if isinstance(layers[0], Input):  # the layer that was cut at is no part of the rest
            weights.pop(layers[0].name, None)
        return Network(tuple(layers), weights, outputs)

    def _input_shapes(self, layer: Layer) -> list[Shape]:
        return [self.shapes[name] for name in layer.inputs]


def pooling_layer(network: Network) -> Layer:
    """The layer after which there are no places any more.

    Raises:
        ValueError: there is none.
    """
    for layer in network.layers:
        if isinstance(layer, GlobalAveragePooling | GlobalMaxPooling | Flatten):
            return layer
    raise ValueError("the network pools nothing")
