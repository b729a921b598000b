"""The classifier: preprocessing, backbone and head in one graph, and the cut through it."""

import keras
import numpy as np

from catsdogs.config import ModelConfig
from catsdogs.network.backbones import get_backbone
from catsdogs.network.classifier_network import OUTPUT_NAME, POOLING_NAME, check_image_size
from catsdogs.network.weights import Weights

_POOLINGS = {
    "average": keras.layers.GlobalAveragePooling2D,
    "max": keras.layers.GlobalMaxPooling2D,
    "flatten": keras.layers.Flatten,
}


def build_classifier(
    config: ModelConfig, num_classes: int, policy: keras.DTypePolicy, seed: int = 0
) -> keras.Model:
    """Build the network, its backbone without weights and its head freshly drawn.

    Made of standard layers alone, so that plain Keras opens the saved file.

    Args:
        config: backbone, image size, head.
        num_classes: two or more.
        policy: of the convolutions; preprocessing and head compute in float32.
        seed: of the head's initial weights and of dropout.

    Returns:
        Keras model, raw RGB `(n, height, width, 3)`, 0 to 255, to float32 probabilities
        `(n, num_classes)`.

    Raises:
        ConfigError: the image size is too small for the backbone.
    """
    backbone = get_backbone(config.backbone)
    check_image_size(backbone, config.image_size)
    images = keras.Input((*config.image_size, 3), name="images")
    x = backbone.build(images, policy)
    x = _POOLINGS[config.pooling](name=POOLING_NAME, dtype="float32")(x)
    x = _build_head(x, config, num_classes, seed)
    return keras.Model(images, x, name="catsdogs")


def _build_head(
    features: keras.KerasTensor, config: ModelConfig, num_classes: int, seed: int
) -> keras.KerasTensor:
    """Pooled features `(n, features)` to float32 probabilities `(n, num_classes)`."""
    x = features
    if config.head_units:
        x = keras.layers.Dense(
            config.head_units,
            activation="relu",
            kernel_initializer=keras.initializers.GlorotUniform(seed),
            dtype="float32",
            name="dense",
        )(x)
        x = keras.layers.Dropout(config.dropout, seed=seed, dtype="float32", name="dropout")(x)
    return keras.layers.Dense(
        num_classes,
        activation="softmax",
        kernel_initializer=keras.initializers.GlorotUniform(seed + 1),
        dtype="float32",
        name=OUTPUT_NAME,
    )(x)


def set_backbone_weights(model: keras.Model, weights: Weights) -> None:
    """Put pretrained weights into a classifier's backbone."""
    for name, arrays in weights.layers.items():
        model.get_layer(name).set_weights(arrays)


def backbone_policy(model: keras.Model) -> keras.DTypePolicy:
    """What the backbone of a classifier computes in."""
    return feature_layer(model).dtype_policy


def feature_layer(model: keras.Model) -> keras.layers.Layer:
    """The backbone's last layer: its maps are what is pooled."""
    return model.get_layer(POOLING_NAME).input._keras_history.operation


def head_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """The layers above the pooling, from the features upwards: a chain."""
    names = [layer.name for layer in model.layers]
    return model.layers[names.index(POOLING_NAME) + 1 :]


def build_twin(model: keras.Model, config: ModelConfig) -> keras.Model:
    """Build a classifier once more, with variables of its own and the same values.

    Where dropout draws from, it goes on from its beginning.
    """
    seeds = [layer.seed for layer in head_layers(model) if isinstance(layer, keras.layers.Dropout)]
    num_classes = model.output.shape[-1]
    twin = build_classifier(config, num_classes, backbone_policy(model), next(iter(seeds), 0))
    twin.set_weights(model.get_weights())
    return twin


def divide_logits(model: keras.Model, temperature: float) -> None:
    """Divide what goes into a classifier's softmax: its last layer is dense, and takes it up."""
    last = model.layers[-1]
    last.set_weights([array / np.float32(temperature) for array in last.get_weights()])


def freeze_below(model: keras.Model, boundary: str) -> None:
    """Make trainable what lies above the layer `boundary`, and freeze it and all below.

    Batch normalisation is frozen everywhere, which in Keras means that it normalises by the
    statistics it has: those of a few photos' batches are far from those it was trained with.
    """
    above = False
    for layer in model.layers:
        layer.trainable = above and not isinstance(layer, keras.layers.BatchNormalization)
        above = above or layer.name == boundary


def split_at(model: keras.Model, boundary: str) -> tuple[keras.Model, keras.Model]:
    """Cut a classifier into trunk and tail, which share its layers and variables.

    Args:
        model: as `build_classifier` makes it.
        boundary: name of the layer whose output is the last of the trunk.

    Returns:
        The trunk, images to features, and the tail, features to probabilities. Training
        the tail trains the classifier.
    """
    features = model.get_layer(boundary).output
    return (
        keras.Model(model.input, features, name="trunk"),
        keras.Model(features, model.output, name="tail"),
    )
