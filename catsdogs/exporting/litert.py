"""A LiteRT (TensorFlow Lite) file of a whole classifier, for phones and small computers.

LiteRT has no operator that averages where it shrinks a photo: the file takes photos of the
network's size, and whoever uses it brings them there by the bilinear filter of a good library
(the docs show how).
"""

from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from catsdogs.exporting.stored_weights import Precision
from catsdogs.exporting.tensorflow_graph import TensorFlowGraph
from catsdogs.network.network import Network


def litert_model(
    network: Network, precision: Precision = "float32", photos: Iterable[np.ndarray] = ()
) -> bytes:
    """Write a network as a LiteRT flatbuffer.

    Args:
        network: folded (see `network/folding.py`), raw RGB to probabilities.
        precision: float16 halves the weights; int8 quantises weights and what lies between
            the layers.
        photos: for int8, uint8 `(height, width, 3)` each, of the network's size: they show how
            large the values between the layers become.

    Returns:
        The file's content. Its input is uint8 `(1, height, width, 3)`, RGB, its output float32
        `(1, classes)`.
    """
    graph = TensorFlowGraph(network)
    takes = tf.TensorSpec((1, *network.input.shape), tf.uint8, "images")
    function = tf.function(graph.probabilities, autograph=False).get_concrete_function(takes)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], graph)
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision == "int8":
        shown = [photo[None] for photo in photos]
        converter.representative_dataset = lambda: ([photo] for photo in shown)
    return converter.convert()
