"""Where in a photo a class was seen: Grad-CAM, in closed form.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization", 2017: the channels of the last maps with places in them are added up, each
weighted by the mean gradient of the class's logit (its score before the softmax) with respect
to it, and what speaks against the class is cut off.

Above them lie at most a max pooling, a global pooling and dense layers, so the gradient needs
no backend: a max pooling hands the gradient of each of its outputs to exactly one of its
inputs, so that over a channel the gradients add up to the same below it as above it, whichever
inputs those are.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from catsdogs.console import Console
from catsdogs.data.images import Photo, read_any
from catsdogs.errors import ConfigError
from catsdogs.model.answer import Answer
from catsdogs.model.predictor import Predictor
from catsdogs.network.backbones import get_backbone
from catsdogs.network.layers import Dense, GlobalAveragePooling, GlobalMaxPooling
from catsdogs.network.network import Network, pooling_layer
from catsdogs.text import some_of


@dataclass(frozen=True)
class Explanation:
    """Where in a photo a class was seen.

    Attributes:
        photo: as it was given.
        answer: for the photo, exactly as `predict` gives it.
        class_name: the class that is explained; empty where the photo could not be read.
        heat: float32 `(rows, columns)` over the whole photo, 0 to 1, 1 where most speaks for
            the class; zeros where nothing does; None where the photo could not be read.
    """

    photo: Photo
    answer: Answer
    class_name: str
    heat: np.ndarray | None


def explain_photos(
    predictor: Predictor,
    photos: Sequence[Photo],
    class_name: str | None = None,
    console: Console | None = None,
) -> Iterator[Explanation]:
    """Answer for photos, and show where in them the answer lies.

    Args:
        predictor: of a model that `catsdogs train` or `finetune` wrote.
        photos: in any form, one or more.
        class_name: the class to explain; None takes each photo's most probable one.
        console: where progress is shown; None shows none.

    Raises:
        ConfigError: the model has no such class.
    """
    names = predictor.class_names
    if class_name is not None and class_name not in names:
        raise ConfigError(
            f"the model has no class {class_name!r}, it has {some_of(names)}: choose one of them",
            key="class_name",
        )
    return _explain(predictor, photos, class_name, console)


def _explain(
    predictor: Predictor, photos: Sequence[Photo], class_name: str | None, console: Console | None
) -> Iterator[Explanation]:
    if predictor.metadata is None:
        raise ConfigError("only a model that `catsdogs train` or `finetune` wrote can explain")
    pooled, head = predictor.head
    explained = get_backbone(predictor.metadata.architecture.backbone).explained_layer
    engine = predictor.engine_for(explained, pooled)
    for photo, answer in zip(photos, predictor.answer(photos, console), strict=True):
        if answer.error:
            yield Explanation(photo, answer, "", None)
            continue
        name = class_name or answer.most_probable
        pixels = read_any(photo, predictor.image_size, predictor.fit)
        maps, features = (output[0].astype(np.float32) for output in engine.outputs(pixels[None]))
        gradients = channel_gradients(head, features, predictor.class_names.index(name))
        heat = heat_map(maps, gradients / math.prod(maps.shape[:2]))
        yield Explanation(photo, answer, name, heat)


def channel_gradients(network: Network, features: np.ndarray, label: int) -> np.ndarray:
    """Gradient of a class's logit with respect to each channel, summed over its places.

    Args:
        network: classifier, or its part from the pooling on: below the output are dense layers
            with ReLU between them.
        features: float32 `(rows, columns, channels)`, what is pooled of one photo.
        label: index of the class.

    Returns:
        float32 `(channels,)`.
    """
    pooling = pooling_layer(network)
    match pooling:
        case GlobalAveragePooling():
            x = features.mean(axis=(0, 1))
        case GlobalMaxPooling():
            x = features.max(axis=(0, 1))
        case _:
            x = features.reshape(-1)
    head = network.above(pooling.name)
    *hidden, last = (layer.name for layer in head.layers if isinstance(layer, Dense))
    kernels, active = [], []
    for name in hidden:
        kernel, bias = head.weights[name]  # (features, units), (units,)
        x = x @ kernel + bias
        kernels.append(kernel)
        active.append(x > 0)
        x = np.maximum(x, 0)
    gradient = head.weights[last][0][:, label]  # (units,)
    for kernel, is_active in zip(reversed(kernels), reversed(active), strict=True):
        gradient = kernel @ (gradient * is_active)
    # average and maximum pooling have one feature a channel, flattening one a place as well
    return gradient.reshape(-1, features.shape[-1]).sum(axis=0)


def heat_map(activation: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weigh and add up the channels, cut off what is negative, and scale to 0 to 1.

    Args:
        activation: float32 `(rows, columns, channels)`.
        weights: float32 `(channels,)`.

    Returns:
        float32 `(rows, columns)`.
    """
    heat = np.maximum(activation @ weights, 0)
    peak = heat.max()
    return heat / peak if peak > 0 else heat
