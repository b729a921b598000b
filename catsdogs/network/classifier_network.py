"""A classifier in our own layers: what plain arrays are solved for, saved and computed by ncnn."""

import numpy as np

from catsdogs.config import ModelConfig
from catsdogs.errors import ConfigError
from catsdogs.network.backbones import Backbone
from catsdogs.network.backbones.layered import LayeredBackbone
from catsdogs.network.layers import (
    Dense,
    Flatten,
    GlobalAveragePooling,
    GlobalMaxPooling,
    Layer,
)
from catsdogs.network.network import Network
from catsdogs.network.weights import Weights

POOLING_NAME = "pooling"
OUTPUT_NAME = "probabilities"

_POOLINGS: dict[str, type[Layer]] = {
    "average": GlobalAveragePooling,
    "max": GlobalMaxPooling,
    "flatten": Flatten,
}


def check_image_size(backbone: Backbone, image_size: tuple[int, int]) -> None:
    """Refuse photos so small that nothing would be left of them.

    Args:
        backbone: what they go through.
        image_size: height and width in pixels.

    Raises:
        ConfigError: they are smaller than the backbone's minimum.
    """
    height, width = image_size
    if min(height, width) < backbone.minimum_size:
        raise ConfigError(
            f"model.image_size should be at least {backbone.minimum_size} x "
            f"{backbone.minimum_size} for {backbone.name}, got {height} x {width}"
        )


def pooled_network(backbone: Backbone, config: ModelConfig, weights: Weights) -> Network | None:
    """Preprocessing, backbone and pooling, raw RGB to features `(features,)`.

    Returns:
        None where the backbone is not written in our own layers.

    Raises:
        ConfigError: the image size is too small for the backbone.
    """
    if not isinstance(backbone, LayeredBackbone):
        return None
    check_image_size(backbone, config.image_size)
    layers = backbone.layers(config.image_size)
    pooling = _POOLINGS[config.pooling](POOLING_NAME, (layers[-1].name,))
    arrays = {
        name: tuple(np.asarray(array, np.float32) for array in arrays)
        for name, arrays in weights.layers.items()
    }
    return Network((*layers, pooling), arrays)


def with_linear_head(pooled: Network, kernel: np.ndarray, bias: np.ndarray) -> Network:
    """The whole classifier: one dense layer with a softmax on the features.

    Args:
        pooled: as `pooled_network` gives it.
        kernel: float32 `(features, classes)`.
        bias: float32 `(classes,)`.
    """
    dense = Dense(OUTPUT_NAME, (POOLING_NAME,), len(bias), True, "softmax")
    weights = {**pooled.weights, OUTPUT_NAME: (kernel, bias)}
    return Network((*pooled.layers, dense), weights)
