"""The frozen layers alone: from files as `train` computes them, and bare in every engine."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import keras
import numpy as np

from benchmarks.candidates import Forward, candidates
from benchmarks.settings import Row, Settings
from catsdogs.config import AugmentConfig, DataConfig, ModelConfig
from catsdogs.data.batches import num_decode_threads
from catsdogs.data.dataset import load_dataset
from catsdogs.data.views import ViewReader
from catsdogs.model.keras_config import network_of
from catsdogs.network.backbones.vgg16 import VGG16
from catsdogs.network.classifier import build_classifier, set_backbone_weights, split_at
from catsdogs.network.engines.choice import choose_engine
from catsdogs.network.engines.engine import Engine
from catsdogs.network.engines.keras_engine import TRUNK_BATCH_SIZE, KerasEngine
from catsdogs.network.precision import choose_precision
from catsdogs.training.feature_store import MemoryStore
from catsdogs.training.features import CachedFeatures, View

_NUM_BUSY = 2
_LEAST_SECONDS = 3.0
"""Each measurement goes on for so long: engines differ by a factor of ten."""


def engines(settings: Settings) -> list[Row]:
    """Photos a second from files in `engine = "auto"`, and bare in every engine and precision.

    Idle and beside busy processes; each round asks all of them in turn. How far features are off
    from those of Keras in float32 is relative to the largest of them, on photos of
    `validation/`, and with ImageNet weights where they are at hand.
    """
    photos = _photos(settings, TRUNK_BATCH_SIZE)
    bare = dict(candidates(partial(_make_trunk, settings), photos, settings.work))
    wanted = bare["Keras, float32"](photos)
    errors = {
        name: np.abs(forward(photos) - wanted).max() / np.abs(wanted).max()
        for name, forward in bare.items()
    }
    from_files = _frozen_pass(settings, _auto_engine(settings))
    ours = "from files"
    measured: dict[str, Callable[[], float]] = {ours: partial(from_files, 0)}
    measured |= {name: partial(_rate, forward, photos) for name, forward in bare.items()}
    idle = _in_turns(measured, settings.repeats)
    with _busy(_NUM_BUSY):
        busy = _in_turns(measured, settings.repeats)
    rows = []
    for condition, rates in (("", idle), (f" beside {_NUM_BUSY} busy processes", busy)):
        rows += [
            Row.of_rates(
                f"frozen layers{condition}, against bare {name}, features off by {error:.1g}",
                list(zip(rates[ours], rates[name], strict=True)),
            )
            for name, error in errors.items()
        ]
    pairs = list(zip(busy[ours], idle[ours], strict=True))
    return [*rows, Row.of_rates("frozen layers beside busy processes, against idle", pairs)]


def _in_turns(measured: dict[str, Callable[[], float]], repeats: int) -> dict[str, list[float]]:
    """Each of them in each round; the first round is not counted: graphs are made in it."""
    rates: dict[str, list[float]] = {name: [] for name in measured}
    for _ in range(repeats + 1):
        for name, measure in measured.items():
            rates[name].append(measure())
    return {name: values[1:] for name, values in rates.items()}


def _auto_engine(settings: Settings) -> Engine:
    precision = choose_precision()
    trunk = _make_trunk(settings, precision.policy)
    if choose_engine().name == "ncnn":
        from catsdogs.network.engines.ncnn_engine import NcnnEngine

        return NcnnEngine(network_of(trunk))
    return KerasEngine(trunk, precision.name)


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
    engine = _auto_engine(settings)
    frozen_pass = _frozen_pass(settings, engine)
    images = _photos(settings, TRUNK_BATCH_SIZE)
    counts = (1, 2, 4, 8)
    _rate(engine.outputs, images)
    shares: dict[int, list[float]] = {count: [] for count in counts}
    rates: dict[int, list[float]] = {count: [] for count in counts}
    bare = []
    for _ in range(settings.repeats):
        bare.append(_rate(engine.outputs, images))
        for count in counts:
            rates[count].append(frozen_pass(count))
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


def _frozen_pass(settings: Settings, engine: Engine) -> Callable[[int], float]:
    """Photos a second from files to features kept in memory; takes how many threads decode."""
    samples = load_dataset(DataConfig(dir=str(settings.data)), 0).splits["train"]
    views = [View(sample, 0) for sample in samples[: 4 * TRUNK_BATCH_SIZE]]
    reader = ViewReader((settings.size, settings.size), AugmentConfig(), seed=0)
    shape = engine.outputs(_photos(settings, 1))[0].shape[1:]

    def rate(num_threads: int) -> float:
        source = CachedFeatures(engine, shape, MemoryStore(), reader)
        done = source.ensure(views, num_threads or num_decode_threads(0), lambda _: None)
        return done.num_computed / done.seconds

    return rate


def _make_trunk(settings: Settings, policy: keras.DTypePolicy) -> keras.Model:
    """VGG16 up to its pooling; with its ImageNet weights where they are at hand."""
    config = ModelConfig(image_size=(settings.size, settings.size))
    model = build_classifier(config, 2, policy)
    set_backbone_weights(model, VGG16.load_weights("auto" if VGG16.find_weights() else "random"))
    return split_at(model, "pooling")[0]


def _rate(forward: Forward | Callable[[np.ndarray], object], images: np.ndarray) -> float:
    """Photos per second on prepared images."""
    start, num_photos = time.perf_counter(), 0
    while (seconds := time.perf_counter() - start) < _LEAST_SECONDS:
        forward(images)
        num_photos += len(images)
    return num_photos / seconds


def _photos(settings: Settings, count: int) -> np.ndarray:
    """Photos of `validation/`, uint8 `(count, size, size, 3)`."""
    samples = load_dataset(DataConfig(dir=str(settings.data)), 0).splits["validation"]
    reader = ViewReader((settings.size, settings.size), AugmentConfig(), seed=0)
    return np.stack([reader.read(sample, 0) for sample in samples[:count]])
