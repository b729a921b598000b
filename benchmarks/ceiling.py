"""What the device's arithmetic allows, and how near to it the network comes."""

import math
import statistics
import time
from collections.abc import Callable, Iterable

import keras
import numpy as np

from benchmarks.settings import Row, Settings
from catsdogs.config import Config, ModelConfig
from catsdogs.network.backbones import finetune_boundary, get_backbone
from catsdogs.network.classifier import (
    build_classifier,
    freeze_below,
    split_at,
)
from catsdogs.network.engines.keras_engine import TRUNK_BATCH_SIZE
from catsdogs.network.precision import choose_precision
from catsdogs.training.objective import compile_for, giving_logits

_MATRIX_SIZE = 4096
_NUM_BATCHES = 10


def ceiling(settings: Settings) -> list[Row]:
    """Multiply-adds a second: a large matrix product, the frozen layers, a fine-tuning step."""
    precision = choose_precision()
    config = ModelConfig(image_size=(settings.size, settings.size))
    model = build_classifier(config, 2, precision.policy)
    work = {
        f"matrix product of {_MATRIX_SIZE:,} x {_MATRIX_SIZE:,}": _matrix_product(precision.name),
        "frozen layers, forward": _frozen_layers(model, settings.size),
        "block5 and head, training steps": _training_steps(model),
    }
    rates: dict[str, list[float]] = {what: [] for what in work}
    for _ in range(settings.repeats + 1):  # the first of each is not counted: graphs are made
        for what, (run, multiply_adds) in work.items():
            start = time.perf_counter()
            run()
            rates[what].append(multiply_adds / (time.perf_counter() - start))
    best = next(iter(rates.values()))[1:]
    return [
        Row(
            f"{what}, {precision.name}",
            f"{statistics.median(values[1:]) / 1e9:,.0f} billion multiply-adds/s",
            f"{statistics.median(best) / 1e9:,.0f} of the matrix product",
            statistics.median(value / other for value, other in zip(values[1:], best, strict=True)),
        )
        for what, values in rates.items()
    ]


Work = tuple[Callable[[], object], float]
"""What is timed, and its multiply-adds."""


def _matrix_product(dtype: str) -> Work:
    matrix = keras.ops.cast(keras.ops.eye(_MATRIX_SIZE), dtype)

    def run() -> object:
        product = matrix
        for _ in range(_NUM_BATCHES):
            product = keras.ops.matmul(product, matrix)
        return float(keras.ops.cast(product[0, 0], "float32"))  # waits for it

    return run, _NUM_BATCHES * _MATRIX_SIZE**3


def _frozen_layers(model: keras.Model, size: int) -> Work:
    trunk, _ = split_at(model, "pooling")
    images = np.random.default_rng(0).integers(0, 256, (TRUNK_BATCH_SIZE, size, size, 3), np.uint8)

    def run() -> object:
        return [trunk.predict_on_batch(images) for _ in range(_NUM_BATCHES)]

    return run, _NUM_BATCHES * len(images) * get_backbone("vgg16").macs((size, size))


def _training_steps(model: keras.Model) -> Work:
    """Each convolution forward, its weights' gradient, and but for the lowest its input's."""
    settings = Config().finetune
    boundary = finetune_boundary(get_backbone("vgg16"), settings.block)
    freeze_below(model, boundary)
    _, tail = split_at(model, boundary)
    compile_for(tail, settings.learning_rate)
    shape = (settings.batch_size, *tail.input.shape[1:])
    features = np.random.default_rng(0).random(shape).astype(np.float16)
    labels = np.arange(settings.batch_size, dtype=np.int32) % 2
    layers = [layer for layer in tail.layers if isinstance(layer, keras.layers.Conv2D)]

    def run() -> object:
        with giving_logits(tail):
            return [tail.train_on_batch(features, labels) for _ in range(_NUM_BATCHES)]

    each = 3 * _multiply_adds(layers) - _multiply_adds(layers[:1])
    return run, _NUM_BATCHES * len(features) * each


def _multiply_adds(layers: Iterable[keras.layers.Conv2D]) -> float:
    """Of convolutions on one photo, forward."""
    return sum(
        math.prod(layer.output.shape[1:3]) * math.prod(layer.kernel.shape) for layer in layers
    )
