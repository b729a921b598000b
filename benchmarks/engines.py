"""The frozen layers alone: other ways to run them, and what decoding beside them costs."""

import importlib.util
import statistics
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from benchmarks.settings import Row, Settings
from catsdogs.config import AugmentConfig, DataConfig, ModelConfig
from catsdogs.data.batches import num_decode_threads
from catsdogs.data.dataset import load_dataset
from catsdogs.data.views import ViewReader
from catsdogs.network.backbones.vgg16 import VGG16
from catsdogs.network.classifier import build_classifier, set_backbone_weights, split_at
from catsdogs.network.engines.keras_engine import TRUNK_BATCH_SIZE, KerasEngine
from catsdogs.network.precision import choose_precision
from catsdogs.training.feature_store import MemoryStore
from catsdogs.training.features import CachedFeatures, View

_NUM_PHOTOS = 320

Forward = Callable[[np.ndarray], Any]
"""Runs the frozen layers on images uint8 `(n, height, width, 3)`."""


def engines(settings: Settings) -> list[Row]:
    """Bare forward throughput: ours, in other batch sizes, frozen, in float32, in OpenVINO."""
    precision = choose_precision()
    ours = _make_trunk(settings, precision.policy)
    variants: dict[str, tuple[Forward, int]] = {
        f"Keras, {precision.name}, batch {size}": (ours.predict_on_batch, size)
        for size in (8, 16, 32, 64)
    }
    reference = f"Keras, {precision.name}, batch {TRUNK_BATCH_SIZE}"
    float32 = _make_trunk(settings, keras.DTypePolicy("float32"))
    variants["Keras, float32"] = (float32.predict_on_batch, TRUNK_BATCH_SIZE)
    if keras.backend.backend() == "tensorflow":
        variants[f"frozen graph, {precision.name}"] = (_freeze(ours, settings), TRUNK_BATCH_SIZE)
    if importlib.util.find_spec("openvino"):
        for name in ("f32", "bf16"):
            forward = _compile_openvino(float32, settings, name)
            variants[f"OpenVINO, {name}"] = (forward, TRUNK_BATCH_SIZE)
    rates: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(settings.repeats + 1):  # the first of each is not counted: graphs are made
        for name, (forward, size) in variants.items():
            rates[name].append(_rate(forward, size, settings.size))
    rates = {name: values[1:] for name, values in rates.items()}
    return [
        Row.of_rates(f"bare forward: {name}", list(zip(values, rates[reference], strict=True)))
        for name, values in rates.items()
    ]


def decode_threads(settings: Settings) -> list[Row]:
    """The pass from photo files with 1, 2, 4 and 8 decode threads, as a share of the bare one."""
    precision = choose_precision()
    layers = _make_trunk(settings, precision.policy)
    samples = load_dataset(DataConfig(dir=str(settings.data)), 0).splits["train"][:_NUM_PHOTOS]
    views = [View(sample, 0) for sample in samples]
    reader = ViewReader((settings.size, settings.size), AugmentConfig(), seed=0)
    counts = (1, 2, 4, 8)
    _rate(layers.predict_on_batch, TRUNK_BATCH_SIZE, settings.size)
    shares: dict[int, list[float]] = {count: [] for count in counts}
    rates: dict[int, list[float]] = {count: [] for count in counts}
    bare = []
    for _ in range(settings.repeats):
        bare.append(_rate(layers.predict_on_batch, TRUNK_BATCH_SIZE, settings.size))
        for count in counts:
            engine = KerasEngine(layers, precision.name)
            source = CachedFeatures(engine, layers.output.shape[1:], MemoryStore(), reader)
            done = source.ensure(views, count, lambda _: None)
            rates[count].append(done.num_computed / done.seconds)
            shares[count].append(rates[count][-1] / bare[-1])
    return [
        Row(
            f"frozen layers from files, decode threads: {count}"
            f"{' (default)' if count == num_decode_threads(0) else ''}",
            f"{statistics.median(rates[count]):.1f} photos/s",
            f"{statistics.median(bare):.1f} photos/s bare",
            statistics.median(shares[count]),
        )
        for count in counts
    ]


def _make_trunk(settings: Settings, policy: keras.DTypePolicy) -> keras.Model:
    config = ModelConfig(image_size=(settings.size, settings.size))
    model = build_classifier(config, 2, policy)
    set_backbone_weights(model, VGG16.load_weights("random"))
    return split_at(model, "pooling")[0]


def _rate(forward: Forward, batch_size: int, size: int) -> float:
    """Photos per second on prepared batches."""
    shape = (batch_size, size, size, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    num_batches = max(1, _NUM_PHOTOS // batch_size)
    start = time.perf_counter()
    for _ in range(num_batches):
        forward(images)
    return num_batches * batch_size / (time.perf_counter() - start)


def _freeze(layers: keras.Model, settings: Settings) -> Forward:
    """The layers as one TensorFlow graph with its weights folded in as constants."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    signature = tf.TensorSpec((None, settings.size, settings.size, 3), tf.uint8)
    graph = tf.function(lambda images: layers(images, training=False), [signature])
    frozen = convert_variables_to_constants_v2(graph.get_concrete_function())
    return lambda images: frozen(tf.constant(images))[0].numpy()


def _compile_openvino(layers: keras.Model, settings: Settings, precision: str) -> Forward:
    """The layers in OpenVINO, from a SavedModel, with all cores on one batch, as ours have."""
    import openvino

    path = settings.work / "trunk"
    if not path.exists():
        layers.export(path, verbose=False)
    compiled = openvino.Core().compile_model(
        openvino.convert_model(path),
        "CPU",
        {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"},
    )
    return lambda images: compiled(images.astype(np.float32))
