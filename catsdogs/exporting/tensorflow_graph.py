"""Our list of layers as TensorFlow operations: what LiteRT and SavedModel files are made from."""

import numpy as np
import tensorflow as tf

from catsdogs.config import Fit
from catsdogs.data.framing import MEAN_COLOUR
from catsdogs.errors import CatsdogsError
from catsdogs.network import layers
from catsdogs.network.network import Network


class TensorFlowGraph(tf.Module):
    """A folded network (see `network/folding.py`) as a function of TensorFlow's.

    Args:
        network: raw RGB to probabilities.
    """

    def __init__(self, network: Network) -> None:
        super().__init__(name="catsdogs")
        self._network = network
        self._weights = {
            name: tuple(tf.constant(array) for array in arrays)
            for name, arrays in network.weights.items()
        }

    def probabilities(self, images: tf.Tensor) -> tf.Tensor:
        """Compute answers.

        Args:
            images: uint8 `(n, height, width, 3)` of the network's size, RGB, 0 to 255.

        Returns:
            float32 `(n, classes)`.
        """
        outputs = {self._network.input.name: tf.cast(images, tf.float32)}
        for layer in self._network.layers[1:]:
            inputs = [outputs[name] for name in layer.inputs]
            shapes = [self._network.shapes[name] for name in layer.inputs]
            outputs[layer.name] = self._layer(layer, inputs, shapes)
        return outputs[self._network.outputs[0]]

    def _layer(
        self, layer: layers.Layer, inputs: list[tf.Tensor], shapes: list[layers.Shape]
    ) -> tf.Tensor:
        x = inputs[0]
        weights = self._weights.get(layer.name, ())
        match layer:
            case layers.Rescaling():
                return x * tf.constant(layer.scale) + tf.constant(layer.offset)
            case layers.ZeroPadding():
                return tf.pad(x, _explicit(layer.pads))
            case layers.Convolution():
                x = tf.nn.conv2d(x, weights[0], layer.strides, _padding(layer, shapes[0]))
                return _activated(x + weights[1], layer.activation)
            case layers.DepthwiseConvolution():
                strides = [1, *layer.strides, 1]
                padding = _padding(layer, shapes[0])
                x = tf.nn.depthwise_conv2d(x, weights[0], strides, padding)
                return _activated(x + weights[1], layer.activation)
            case layers.Dense():
                return _activated(tf.matmul(x, weights[0]) + weights[1], layer.activation)
            case layers.Activation():
                return _activated(x, layer.activation)
            case layers.Add():
                return tf.add_n(inputs)
            case layers.Concatenate():
                return tf.concat(inputs, -1)
            case layers.MaxPooling():
                return tf.nn.max_pool2d(x, layer.size, layer.strides, _padding(layer, shapes[0]))
            case layers.AveragePooling():
                return tf.nn.avg_pool2d(x, layer.size, layer.strides, _padding(layer, shapes[0]))
            case layers.GlobalAveragePooling():
                return tf.reduce_mean(x, [1, 2])
            case layers.GlobalMaxPooling():
                return tf.reduce_max(x, [1, 2])
            case layers.Flatten():
                return tf.reshape(x, [-1, int(np.prod(shapes[0]))])
            case _:
                raise CatsdogsError(
                    f"layer {layer.name} ({type(layer).__name__}) cannot be written for TensorFlow"
                )


def bring_to_size(images: tf.Tensor, size: tuple[int, int], fit: Fit) -> tf.Tensor:
    """Bring photos of one size to the network's, as `data/images.py` does.

    Args:
        images: uint8 `(n, height, width, 3)`.
        size: height and width, in pixels.
        fit: how.

    Returns:
        uint8 `(n, *size, 3)`.
    """
    rows, columns = size
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    wanted_height = tf.maximum(_rounded(tf.cast(width, tf.float32) * rows / columns), 1)
    wanted_width = tf.maximum(_rounded(tf.cast(height, tf.float32) * columns / rows), 1)
    if fit == "crop":
        part_height = tf.minimum(height, wanted_height)
        part_width = tf.minimum(width, wanted_width)
        top, left = (height - part_height) // 2, (width - part_width) // 2
        images = images[:, top : top + part_height, left : left + part_width]
    if fit == "pad":
        high, wide = tf.maximum(height, wanted_height), tf.maximum(width, wanted_width)
        top, left = (high - height + 1) // 2, (wide - width + 1) // 2
        colour = tf.constant(MEAN_COLOUR, tf.float32)
        shifted = tf.cast(images, tf.float32) - colour
        images = tf.image.pad_to_bounding_box(shifted, top, left, high, wide) + colour
    resized = tf.image.resize(images, size, antialias=True)
    return tf.cast(tf.clip_by_value(tf.floor(resized + 0.5), 0, 255), tf.uint8)


def _rounded(values: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.round(values), tf.int32)


def _explicit(pads: layers.Pads) -> list[list[int]]:
    return [[0, 0], [pads.top, pads.bottom], [pads.left, pads.right], [0, 0]]


def _padding(layer: layers.Window, shape: layers.Shape) -> str | list[list[int]]:
    """In TensorFlow's words where it has one: LiteRT has no pads in numbers of its own."""
    pads = layer.pads(shape)
    if not any(pads):
        return "VALID"
    (rows, columns), (tall, wide) = layer.size, layer.strides
    same = layers.same_pads(shape[0], rows, tall), layers.same_pads(shape[1], columns, wide)
    return "SAME" if pads == layers.Pads(*same[0], *same[1]) else _explicit(pads)


def _activated(x: tf.Tensor, activation: layers.ActivationName) -> tf.Tensor:
    match activation:
        case "relu":
            return tf.nn.relu(x)
        case "relu6":
            return tf.nn.relu6(x)
        case "sigmoid":
            return tf.sigmoid(x)
        case "softmax":
            return tf.nn.softmax(x)
        case _:
            return x
