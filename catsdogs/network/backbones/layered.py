"""What is the same of all backbones that are written in our own layers."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from catsdogs.network.layers import BatchNormalization, DepthwiseConvolution, Input, Layer
from catsdogs.network.network import Network

if TYPE_CHECKING:
    import keras

_INPUT = "images"


class LayerStack:
    """Layers put one on the other, from raw RGB photos upwards.

    Attributes:
        layers: those so far, without the input.
        top: name of the last one.
    """

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.top = _INPUT

    def add(self, kind: type[Layer], name: str, *beside: str, **settings: Any) -> None:
        """Put a layer on top. Args: `beside` names what it takes besides the last one's output."""
        self.layers.append(kind(name, (self.top, *beside), **settings))
        self.top = name


@dataclass(frozen=True, eq=False)
class LayeredBackbone:
    """See `Backbone`; where its weights come from is left to those that inherit.

    Attributes:
        body: its layers, preprocessing included, without the input.
    """

    name: str
    body: tuple[Layer, ...]
    cut_points: Mapping[str, str]
    finetuned_block: str
    explained_layer: str
    minimum_size: int
    bytes_per_pixel: int

    def layers(self, image_size: tuple[int, int]) -> tuple[Layer, ...]:
        """All its layers, for photos of a height and width in pixels."""
        return Input(_INPUT, (), (*image_size, 3)), *self.body

    def build(
        self, images: "keras.KerasTensor", policy: "keras.DTypePolicy"
    ) -> "keras.KerasTensor":
        from catsdogs.network.keras_builder import apply_layers

        height, width = images.shape[1:3]
        return apply_layers(self.layers((height, width)), images, policy)

    def macs(self, image_size: tuple[int, int]) -> int:
        return Network(self.layers(image_size)).multiply_adds

    @property
    def num_parameters(self) -> int:
        return self._smallest.num_parameters

    @property
    def weight_shapes(self) -> Mapping[str, tuple[tuple[int, ...], ...]]:
        """Shapes of the weights of each layer that has any, from the photo upwards."""
        return self._smallest.weight_shapes

    @cached_property
    def _smallest(self) -> Network:
        return Network(self.layers((self.minimum_size, self.minimum_size)))

    def random_layers(self, seed: int) -> dict[str, list[np.ndarray]]:
        """He-normal weights: nothing learned, for tests of everything around them."""
        generator = np.random.default_rng(seed)
        drawn = {}
        for name, shapes in self.weight_shapes.items():
            match self._smallest.layer(name):
                case BatchNormalization():  # gamma, beta, mean, variance
                    arrays = [np.full(shapes[0], value, np.float32) for value in (1, 0, 0, 1)]
                case layer:
                    kernel = shapes[0]
                    axes = kernel[:2] if isinstance(layer, DepthwiseConvolution) else kernel[:3]
                    scale = np.sqrt(2 / np.prod(axes))
                    arrays = [generator.normal(0, scale, kernel).astype(np.float32)]
                    arrays += [np.zeros(shape, np.float32) for shape in shapes[1:]]
            drawn[name] = arrays
        return drawn
