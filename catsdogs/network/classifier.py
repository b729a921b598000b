"""The classifier: preprocessing, backbone and head in one graph, and the cut through it."""

import keras

from catsdogs.config import ModelConfig
from catsdogs.errors import ConfigError
from catsdogs.network.backbones import Backbone, Block, get_backbone
from catsdogs.network.convolution import convolution_class
from catsdogs.network.weights import Weights

POOLING_NAME = "pooling"

_POOLINGS = {
    "average": keras.layers.GlobalAveragePooling2D,
    "max": keras.layers.GlobalMaxPooling2D,
    "flatten": keras.layers.Flatten,
}


def build_classifier(
    config: ModelConfig, num_classes: int, policy: keras.DTypePolicy, seed: int = 0
) -> keras.Model:
    """Build the network, its convolutions zero and its head freshly drawn.

    Made of standard layers alone, so that plain Keras opens the saved file. The channel
    order that the backbone was trained with is folded into its first kernel (see
    `set_backbone_weights`).

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
    height, width = config.image_size
    if min(height, width) < backbone.minimum_size:
        raise ConfigError(
            f"model.image_size should be at least {backbone.minimum_size} x "
            f"{backbone.minimum_size} for {backbone.name}, got {height} x {width}"
        )
    images = keras.Input((height, width, 3), name="images")
    x = keras.layers.Rescaling(
        1.0, offset=[-mean for mean in backbone.mean_rgb], dtype="float32", name="preprocess"
    )(images)
    for block in backbone.blocks:
        x = _apply_block(x, block, policy)
    x = _POOLINGS[config.pooling](name=POOLING_NAME, dtype="float32")(x)
    x = keras.layers.Dense(
        config.head_units,
        activation="relu",
        kernel_initializer=keras.initializers.GlorotUniform(seed),
        dtype="float32",
        name="dense",
    )(x)
    x = keras.layers.Dropout(config.dropout, seed=seed, dtype="float32", name="dropout")(x)
    x = keras.layers.Dense(
        num_classes,
        activation="softmax",
        kernel_initializer=keras.initializers.GlorotUniform(seed + 1),
        dtype="float32",
        name="probabilities",
    )(x)
    return keras.Model(images, x, name="catsdogs")


def _apply_block(
    x: keras.KerasTensor, block: Block, policy: keras.DTypePolicy
) -> keras.KerasTensor:
    for number in range(1, block.num_convolutions + 1):
        x = convolution_class(policy)(
            block.num_filters,
            3,
            padding="same",
            activation="relu",
            kernel_initializer="zeros",  # overwritten: drawing 15 million numbers takes time
            dtype=policy,
            name=f"{block.name}_conv{number}",
        )(x)
    return keras.layers.MaxPooling2D(2, dtype=policy, name=block.output_name)(x)


def convolution_layers(model: keras.Model) -> list[keras.layers.Conv2D]:
    """The backbone's convolutions, from the photo upwards."""
    return [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]


def set_backbone_weights(model: keras.Model, weights: Weights) -> None:
    """Put pretrained convolutions into a classifier that takes RGB.

    They are in Keras' convention, whose first kernel takes BGR: it is reversed here along
    its input channels, so that no layer has to reorder the photo's.
    """
    for index, (layer, (kernel, bias)) in enumerate(
        zip(convolution_layers(model), weights.convolutions, strict=True)
    ):
        layer.set_weights([kernel[:, :, ::-1] if index == 0 else kernel, bias])


def freeze_below(model: keras.Model, boundary: str) -> None:
    """Make trainable what lies above the layer `boundary`, and freeze it and all below."""
    above = False
    for layer in model.layers:
        layer.trainable = above
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


def finetune_boundary(backbone: Backbone, block: str) -> str:
    """Name of the layer below the lowest block that is trained.

    Raises:
        ConfigError: there is no such block.
    """
    return backbone.below(block) or "preprocess"
