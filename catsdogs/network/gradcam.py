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

import keras
import numpy as np

from catsdogs.console import Console
from catsdogs.data.images import Photo, read_any
from catsdogs.errors import ConfigError
from catsdogs.network.backbones import get_backbone
from catsdogs.network.classifier import POOLING_NAME, feature_layer, head_layers
from catsdogs.network.predictor import Answer, Predictor


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
            f"the model has no class {class_name!r}, it has {', '.join(names)}: choose one of them",
            key="class_name",
        )
    return _explain(predictor, photos, class_name, console)


def _explain(
    predictor: Predictor, photos: Sequence[Photo], class_name: str | None, console: Console | None
) -> Iterator[Explanation]:
    model = predictor.model
    if predictor.metadata is None:
        raise ConfigError("only a model that `catsdogs train` or `finetune` wrote can explain")
    trunk = explained_trunk(model, predictor.metadata.architecture.backbone)
    for photo, answer in zip(photos, predictor.answer(photos, console), strict=True):
        if answer.error:
            yield Explanation(photo, answer, "", None)
            continue
        name = class_name or answer.class_name
        pixels = read_any(photo, predictor.image_size, predictor.fit)
        maps, features = (
            np.asarray(output, np.float32)[0] for output in trunk.predict_on_batch(pixels[None])
        )
        gradients = channel_gradients(model, features, predictor.class_names.index(name))
        heat = heat_map(maps, gradients / math.prod(maps.shape[:2]))
        yield Explanation(photo, answer, name, heat)


def explained_trunk(model: keras.Model, backbone_name: str) -> keras.Model:
    """Photos to the maps that are explained and to those that are pooled, often the same."""
    explained = model.get_layer(get_backbone(backbone_name).explained_layer)
    return keras.Model(model.input, [explained.output, feature_layer(model).output], name="trunk")


def channel_gradients(model: keras.Model, features: np.ndarray, label: int) -> np.ndarray:
    """Gradient of a class's logit with respect to each channel, summed over its places.

    Args:
        model: classifier, as `build_classifier` makes it.
        features: float32 `(rows, columns, channels)`, what is pooled of one photo.
        label: index of the class.

    Returns:
        float32 `(channels,)`.
    """
    match model.get_layer(POOLING_NAME):
        case keras.layers.GlobalAveragePooling2D():
            x = features.mean(axis=(0, 1))
        case keras.layers.GlobalMaxPooling2D():
            x = features.max(axis=(0, 1))
        case _:
            x = features.reshape(-1)
    *hidden, last = (layer for layer in head_layers(model) if isinstance(layer, keras.layers.Dense))
    kernels, active = [], []
    for layer in hidden:
        kernel, bias = layer.get_weights()  # (features, units), (units,)
        x = x @ kernel + bias
        kernels.append(kernel)
        active.append(x > 0)
        x = np.maximum(x, 0)
    gradient = last.get_weights()[0][:, label]  # (units,)
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
