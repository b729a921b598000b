"""The frozen layers alone: every engine that is installed, and what decoding beside them costs."""

import importlib.util
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from benchmarks.settings import Row, Settings
from catsdogs.config import AugmentConfig, DataConfig, ModelConfig
from catsdogs.data.batches import num_decode_threads
from catsdogs.data.dataset import load_dataset
from catsdogs.data.views import ViewReader
from catsdogs.model.keras_config import network_of
from catsdogs.network.backbones.vgg16 import VGG16
from catsdogs.network.classifier import build_classifier, set_backbone_weights, split_at
from catsdogs.network.engines.choice import choose_engine
from catsdogs.network.engines.keras_engine import TRUNK_BATCH_SIZE, KerasEngine
from catsdogs.network.folding import fold
from catsdogs.network.precision import choose_precision
from catsdogs.training.feature_store import MemoryStore
from catsdogs.training.features import CachedFeatures, View

_NUM_PHOTOS = 320
_NUM_BUSY = 2

Forward = Callable[[np.ndarray], Any]
"""Runs the frozen layers on images uint8 `(n, height, width, 3)`."""


def engines(settings: Settings) -> list[Row]:
    """Bare forward throughput of each engine and precision, idle and beside busy processes.

    Compared with is what `engine = "auto"` takes here; each round asks all of them in turn.
    """
    variants = dict(_variants(settings))
    reference = _reference()
    rows = []
    for num_busy in (0, _NUM_BUSY):
        rates: dict[str, list[float]] = {name: [] for name in variants}
        with _busy(num_busy):
            for _ in range(settings.repeats + 1):  # the first is not counted: graphs are made
                for name, forward in variants.items():
                    rates[name].append(_rate(forward, TRUNK_BATCH_SIZE, settings))
        rates = {name: values[1:] for name, values in rates.items()}
        condition = f" beside {num_busy} busy processes" if num_busy else ""
        rows += [
            Row.of_rates(
                f"bare forward{condition}: {name}", list(zip(rates[reference], values, strict=True))
            )
            for name, values in rates.items()
        ]
    return rows


def _reference() -> str:
    if choose_engine().name == "ncnn":
        return "ncnn, float32"
    return f"Keras, {choose_precision().name}"


def _variants(settings: Settings) -> Iterator[tuple[str, Forward]]:
    """Every engine that can be imported, by name and precision."""
    float32 = _make_trunk(settings, keras.DTypePolicy("float32"))
    yield "Keras, float32", float32.predict_on_batch
    bfloat16 = _make_trunk(settings, keras.DTypePolicy("mixed_bfloat16"))
    yield "Keras, bfloat16", bfloat16.predict_on_batch
    if (best := choose_precision()).name == "float16":
        yield "Keras, float16", _make_trunk(settings, best.policy).predict_on_batch
    if importlib.util.find_spec("ncnn"):
        from catsdogs.network.engines.ncnn_engine import NcnnEngine

        yield "ncnn, float32", NcnnEngine(network_of(float32)).outputs
    if not importlib.util.find_spec("onnx") or not importlib.util.find_spec("onnxruntime"):
        return
    from catsdogs.exporting.onnx import onnx_model, quantised, write_onnx

    network = fold(network_of(float32))
    # the quantiser changes the graph that it is given
    in_bytes = quantised(onnx_model(network, None), list(_images(settings, 8)))
    graphs = {"float32": onnx_model(network, None), "int8": in_bytes}
    for name, model in graphs.items():
        path = settings.work / f"trunk-{name}.onnx"
        write_onnx(path, model)
        yield f"ONNX Runtime, {name}", _in_onnxruntime(str(path))
        if importlib.util.find_spec("openvino"):
            yield f"OpenVINO, {name}", _in_openvino(str(path), "f32")
    if importlib.util.find_spec("openvino"):
        yield "OpenVINO, bfloat16", _in_openvino(str(settings.work / "trunk-float32.onnx"), "bf16")


def _in_onnxruntime(path: str) -> Forward:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: session.run(None, {name: images})


def _in_openvino(path: str, precision: str) -> Forward:
    """With all cores on one batch, as Keras has."""
    import openvino

    compiled = openvino.Core().compile_model(
        path, "CPU", {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
    )
    return lambda images: compiled(images)


@contextmanager
def _busy(num_processes: int) -> Iterator[None]:
    """So many processes that compute all the time."""
    command = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(command) for _ in range(num_processes)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def decode_threads(settings: Settings) -> list[Row]:
    """The pass from photo files with 1, 2, 4 and 8 decode threads, as a share of the bare one."""
    precision = choose_precision()
    layers = _make_trunk(settings, precision.policy)
    samples = load_dataset(DataConfig(dir=str(settings.data)), 0).splits["train"][:_NUM_PHOTOS]
    views = [View(sample, 0) for sample in samples]
    reader = ViewReader((settings.size, settings.size), AugmentConfig(), seed=0)
    counts = (1, 2, 4, 8)
    _rate(layers.predict_on_batch, TRUNK_BATCH_SIZE, settings)
    shares: dict[int, list[float]] = {count: [] for count in counts}
    rates: dict[int, list[float]] = {count: [] for count in counts}
    bare = []
    for _ in range(settings.repeats):
        bare.append(_rate(layers.predict_on_batch, TRUNK_BATCH_SIZE, settings))
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


def _rate(forward: Forward, batch_size: int, settings: Settings) -> float:
    """Photos per second on prepared batches."""
    images = _images(settings, batch_size)
    num_batches = max(1, min(_NUM_PHOTOS, settings.num_training) // batch_size)
    start = time.perf_counter()
    for _ in range(num_batches):
        forward(images)
    return num_batches * batch_size / (time.perf_counter() - start)


def _images(settings: Settings, count: int) -> np.ndarray:
    """Noise, uint8 `(count, size, size, 3)`."""
    shape = (count, settings.size, settings.size, 3)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)
