"""The layers that networks here are made of, described as data.

One list of layers is what backbones are written in, what Keras models are built from, what
engines compute and what exporters translate. Nothing here computes or imports a framework.
Shapes are those of one photo, channels last: `(rows, columns, channels)`, or `(units,)`.
"""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

Shape = tuple[int, ...]

ActivationName = Literal["linear", "relu", "relu6", "sigmoid", "softmax"]
"""What a layer may apply to its sums; softmax is over the channels."""


class Pads(NamedTuple):
    """Rows and columns that are added round a picture. Pooling never counts them as values."""

    top: int
    bottom: int
    left: int
    right: int


Padding = Literal["same", "valid"] | Pads


@dataclass(frozen=True)
class Layer:
    """One step of a network.

    Attributes:
        name: unique in its network; as in the Keras model.
        inputs: names of the layers whose outputs it takes.
    """

    name: str
    inputs: tuple[str, ...]

    def output_shape(self, *inputs: Shape) -> Shape:
        """Shape of what it gives for one photo; as its first input unless said otherwise.

        Raises:
            ValueError: it does not take inputs of these shapes.
        """
        return inputs[0]

    def weight_shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        """Shapes of its weights, float32, in Keras' order and layout; most have none."""
        return ()

    def multiply_adds(self, *inputs: Shape) -> int:
        """Multiply-adds for one photo; only products with weights count."""
        return 0


@dataclass(frozen=True)
class Input(Layer):
    """Where photos, or features of a trunk, come in. Attributes: `shape` of one."""

    shape: Shape

    def output_shape(self, *inputs: Shape) -> Shape:
        """The shape it was given."""
        return self.shape


@dataclass(frozen=True)
class Rescaling(Layer):
    """Values times `scale` plus `offset`: one number each, or one for each channel."""

    scale: tuple[float, ...] = (1.0,)
    offset: tuple[float, ...] = (0.0,)

    def output_shape(self, *inputs: Shape) -> Shape:
        """As its input, whose channels must be as many as the numbers."""
        if not {len(self.scale), len(self.offset)} <= {1, inputs[0][-1]}:
            raise ValueError(f"{self.name} has other channels than its input, {inputs[0]}")
        return inputs[0]


@dataclass(frozen=True)
class ZeroPadding(Layer):
    """Zeros round a picture."""

    pads: Pads

    def output_shape(self, *inputs: Shape) -> Shape:
        """Larger by the pads."""
        rows, columns, channels = _picture(self, inputs[0])
        pads = self.pads
        return rows + pads.top + pads.bottom, columns + pads.left + pads.right, channels


@dataclass(frozen=True)
class Window(Layer):
    """What slides over a picture.

    Attributes:
        size: rows and columns of the window.
        strides: rows and columns from one place to the next.
        padding: `valid` keeps inside the picture; `same` gives as many places as the picture
            has pixels, divided by the stride, with TensorFlow's rule for where the pads go.
    """

    size: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    padding: Padding = "valid"

    def pads(self, shape: Shape) -> Pads:
        """How many rows and columns are added to an input of a shape."""
        if isinstance(self.padding, Pads):
            return self.padding
        if self.padding == "valid":
            return Pads(0, 0, 0, 0)
        rows, columns, _ = _picture(self, shape)
        vertical = same_pads(rows, self.size[0], self.strides[0])
        return Pads(*vertical, *same_pads(columns, self.size[1], self.strides[1]))

    def places(self, shape: Shape) -> tuple[int, int]:
        """Rows and columns of what comes out for an input of a shape."""
        rows, columns, _ = _picture(self, shape)
        pads = self.pads(shape)
        high = (rows + pads.top + pads.bottom - self.size[0]) // self.strides[0] + 1
        wide = (columns + pads.left + pads.right - self.size[1]) // self.strides[1] + 1
        if min(high, wide) < 1:
            raise ValueError(f"{self.name} is larger than its input, {rows} x {columns}")
        return high, wide

    def output_shape(self, *inputs: Shape) -> Shape:
        """As many channels as its input."""
        return *self.places(inputs[0]), inputs[0][-1]


@dataclass(frozen=True)
class Convolution(Window):
    """A convolution over all channels; kernel `(rows, columns, inputs, filters)`, bias."""

    filters: int = 1
    use_bias: bool = True
    activation: ActivationName = "linear"

    def output_shape(self, *inputs: Shape) -> Shape:
        """One channel a filter."""
        return *self.places(inputs[0]), self.filters

    def weight_shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        """Kernel, and bias where it has one."""
        kernel = *self.size, inputs[0][-1], self.filters
        return (kernel, (self.filters,)) if self.use_bias else (kernel,)

    def multiply_adds(self, *inputs: Shape) -> int:
        """By the direct way of computing it."""
        return math.prod((*self.places(inputs[0]), *self.size, inputs[0][-1], self.filters))


@dataclass(frozen=True)
class DepthwiseConvolution(Window):
    """A convolution of each channel by itself; kernel `(rows, columns, channels, 1)`, bias."""

    use_bias: bool = True
    activation: ActivationName = "linear"

    def weight_shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        """Kernel, and bias where it has one."""
        channels = inputs[0][-1]
        kernel = *self.size, channels, 1
        return (kernel, (channels,)) if self.use_bias else (kernel,)

    def multiply_adds(self, *inputs: Shape) -> int:
        """One window a place and channel."""
        return math.prod((*self.places(inputs[0]), *self.size, inputs[0][-1]))


@dataclass(frozen=True)
class BatchNormalization(Layer):
    """Each channel by its moving statistics; gamma, beta, mean, variance, each `(channels,)`."""

    epsilon: float = 1e-3

    def weight_shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        """All four, whichever of them the Keras layer trains."""
        return ((inputs[0][-1],),) * 4


@dataclass(frozen=True)
class Activation(Layer):
    """An activation that stands by itself."""

    activation: ActivationName


@dataclass(frozen=True)
class Add(Layer):
    """The sum of its inputs, all of one shape."""

    def output_shape(self, *inputs: Shape) -> Shape:
        """That of each input."""
        if len(set(inputs)) != 1:
            raise ValueError(f"{self.name} adds what has different shapes, {inputs}")
        return inputs[0]


@dataclass(frozen=True)
class Concatenate(Layer):
    """Its inputs side by side along the channels."""

    def output_shape(self, *inputs: Shape) -> Shape:
        """All channels together."""
        if len({shape[:-1] for shape in inputs}) != 1:
            raise ValueError(f"{self.name} joins what has different shapes, {inputs}")
        return *inputs[0][:-1], sum(shape[-1] for shape in inputs)


@dataclass(frozen=True)
class MaxPooling(Window):
    """The largest value in a window."""


@dataclass(frozen=True)
class AveragePooling(Window):
    """The mean of the values in a window; pads are not counted."""


@dataclass(frozen=True)
class GlobalAveragePooling(Layer):
    """The mean of each channel over the picture."""

    def output_shape(self, *inputs: Shape) -> Shape:
        """One number a channel."""
        return (_picture(self, inputs[0])[2],)


@dataclass(frozen=True)
class GlobalMaxPooling(Layer):
    """The largest value of each channel in the picture."""

    def output_shape(self, *inputs: Shape) -> Shape:
        """One number a channel."""
        return (_picture(self, inputs[0])[2],)


@dataclass(frozen=True)
class Flatten(Layer):
    """All values in a row, place by place, the channels of a place together."""

    def output_shape(self, *inputs: Shape) -> Shape:
        """As many units as values."""
        return (math.prod(inputs[0]),)


@dataclass(frozen=True)
class Dropout(Layer):
    """Leaves values out while a network is trained; does nothing to answers."""

    rate: float = 0.5


@dataclass(frozen=True)
class Dense(Layer):
    """A matrix product; kernel `(inputs, units)`, bias `(units,)`."""

    units: int
    use_bias: bool = True
    activation: ActivationName = "linear"

    def output_shape(self, *inputs: Shape) -> Shape:
        """One number a unit."""
        if len(inputs[0]) != 1:
            raise ValueError(f"{self.name} takes a row of numbers, not {inputs[0]}")
        return (self.units,)

    def weight_shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        """Kernel, and bias where it has one."""
        kernel = inputs[0][0], self.units
        return (kernel, (self.units,)) if self.use_bias else (kernel,)

    def multiply_adds(self, *inputs: Shape) -> int:
        """One for each number of the kernel."""
        return inputs[0][0] * self.units


def _picture(layer: Layer, shape: Shape) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise ValueError(f"{layer.name} takes a picture, not {shape}")
    return shape[0], shape[1], shape[2]


def same_pads(length: int, size: int, stride: int) -> tuple[int, int]:
    """Before and after: TensorFlow puts the odd one after, PyTorch's networks before."""
    places = -(-length // stride)
    total = max(0, (places - 1) * stride + size - length)
    return total // 2, total - total // 2
