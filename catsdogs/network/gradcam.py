"""Where in a photo a class was seen: Grad-CAM, in closed form.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization", 2017: the channels of the last convolution are added up, each weighted by the
mean gradient of the class's logit (its score before the softmax) with respect to it, and
what speaks against the class is cut off.

Above the last convolution lie only a 2 x 2 max pooling, a global pooling and two dense
layers, so the gradient needs no backend: a max pooling hands the gradient of each of its
outputs to exactly one of its inputs, so that over a channel the gradients add up to the same
below it as above it, whichever inputs those are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from catsdogs.console import Console
from catsdogs.data.images import read_photo
from catsdogs.errors import ConfigError
from catsdogs.network.classifier import POOLING_NAME, convolution_layers
from catsdogs.network.predictor import Prediction, Predictor


@dataclass(frozen=True)
class Explanation:
    """Where in a photo a class was seen.

    Attributes:
        prediction: the answer for the photo, exactly as `predict` gives it.
        class_name: the class that is explained; empty where the photo could not be read.
        heat: float32 `(rows, columns)` over the whole photo, 0 to 1, 1 where most speaks for
            the class; zeros where nothing does; None where the photo could not be read.
    """

    prediction: Prediction
    class_name: str
    heat: np.ndarray | None


def explain_photos(
    predictor: Predictor,
    paths: Sequence[Path],
    class_name: str | None = None,
    console: Console | None = None,
) -> Iterator[Explanation]:
    """Answer for photos, and show where in them the answer lies.

    Args:
        predictor: of a model that `catsdogs train` or `finetune` wrote.
        paths: photo files, one or more.
        class_name: the class to explain; None takes each photo's most probable one.
        console: where progress is shown; None shows none.

    Raises:
        ConfigError: the model has no such class.
    """
    names = predictor.class_names
    if class_name is not None and class_name not in names:
        raise ConfigError(
            f"the model has no class {class_name!r}: --class should be one of {', '.join(names)}"
        )
    return _explain(predictor, paths, class_name, console)


def _explain(
    predictor: Predictor, paths: Sequence[Path], class_name: str | None, console: Console | None
) -> Iterator[Explanation]:
    model = predictor.model
    trunk = keras.Model(model.input, convolution_layers(model)[-1].output, name="trunk")
    for prediction in predictor.predict(paths, console):
        if prediction.error:
            yield Explanation(prediction, "", None)
            continue
        name = class_name or prediction.class_name
        photo = read_photo(prediction.path, predictor.image_size)
        activation = np.asarray(trunk.predict_on_batch(photo[None]), np.float32)[0]
        weights = channel_weights(model, activation, predictor.class_names.index(name))
        yield Explanation(prediction, name, heat_map(activation, weights))


def channel_weights(model: keras.Model, activation: np.ndarray, label: int) -> np.ndarray:
    """Mean gradient of a class's logit with respect to each channel of the last convolution.

    Args:
        model: classifier, as `build_classifier` makes it.
        activation: float32 `(rows, columns, channels)`, what the last convolution gives for
            one photo, after its ReLU.
        label: index of the class.

    Returns:
        float32 `(channels,)`.
    """
    rows, columns, channels = activation.shape
    pooled = activation[: rows // 2 * 2, : columns // 2 * 2]
    pooled = pooled.reshape(rows // 2, 2, columns // 2, 2, channels).max(axis=(1, 3))
    match model.get_layer(POOLING_NAME):
        case keras.layers.GlobalAveragePooling2D():
            features = pooled.mean(axis=(0, 1))
        case keras.layers.GlobalMaxPooling2D():
            features = pooled.max(axis=(0, 1))
        case _:
            features = pooled.reshape(-1)
    kernel, bias = model.get_layer("dense").get_weights()  # (features, units), (units,)
    to_class = model.get_layer("probabilities").get_weights()[0][:, label]  # (units,)
    gradient = kernel @ (to_class * (features @ kernel + bias > 0))  # (features,)
    # average and maximum pooling have one feature a channel, flattening one a place as well
    return gradient.reshape(-1, channels).sum(axis=0) / (rows * columns)


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
