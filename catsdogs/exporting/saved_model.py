"""A SavedModel folder of a whole classifier, for TensorFlow Serving and everything built on it."""

from pathlib import Path

import tensorflow as tf

from catsdogs.config import Fit
from catsdogs.exporting.tensorflow_graph import TensorFlowGraph, bring_to_size
from catsdogs.network.network import Network


def write_saved_model(
    folder: Path,
    network: Network,
    fit: Fit | None,
    class_names: tuple[str, ...],
) -> None:
    """Write a SavedModel whose signature `serving_default` takes photos of any size.

    Args:
        folder: is made; it must not be there yet.
        network: folded (see `network/folding.py`), raw RGB to probabilities.
        fit: how a photo is brought to the network's size; None: it takes that size alone.
        class_names: given by the signature too, as text `(classes,)`.
    """
    graph = TensorFlowGraph(network)
    rows, columns, channels = network.input.shape
    size = (None, None) if fit else (rows, columns)
    names = tf.constant(class_names)

    def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
        if fit:
            images = bring_to_size(images, (rows, columns), fit)
            images = tf.ensure_shape(images, (None, rows, columns, channels))
        return {"probabilities": graph.probabilities(images), "class_names": names}

    takes = tf.TensorSpec((None, *size, channels), tf.uint8, "images")
    graph.serve = tf.function(serve, input_signature=[takes], autograph=False)
    tf.saved_model.save(graph, str(folder), {"serving_default": graph.serve})
