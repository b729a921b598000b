"""The parts of the benchmark; each gives rows of the table."""

import itertools
import shutil
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.measure import Cost, run, run_classic
from catsdogs.data.dataset import list_photos

_CLASSIC_VALIDATION_PHOTOS = 80
_TRUNK_PHOTOS = 320


@dataclass(frozen=True)
class Settings:
    """What is measured on what.

    Attributes:
        data: absolute path of a folder that holds train/ and validation/.
        work: absolute path of an empty folder for models, caches and outputs.
        size: height and width of the photos in pixels.
        repeats: of each pair of short measurements; what takes minutes runs once.
        classic_photos: photos that the classic recipe trains on; its time is scaled up.
    """

    data: Path
    work: Path
    size: int
    repeats: int
    classic_photos: int

    @property
    def num_training(self) -> int:
        """Photos in train/."""
        return len(list_photos(self.data / "train"))

    @property
    def num_validation(self) -> int:
        """Photos in validation/."""
        return len(list_photos(self.data / "validation"))

    @property
    def flags(self) -> list[str]:
        """What every one of our commands is given."""
        return [f"--set=model.image_size=[{self.size},{self.size}]", f"--data={self.data}"]


@dataclass(frozen=True)
class Row:
    """One line of the table: what, the figure with its unit, and what it is compared with."""

    what: str
    ours: str
    compared: str = ""
    ratio: float | None = None


def generator(settings: Settings) -> list[Row]:
    """Photos per second of the batch generators alone, with the same augmentation."""
    from benchmarks.classic import make_generator
    from catsdogs.config import Config, DataConfig
    from catsdogs.data.batches import ViewBatches, num_decode_threads
    from catsdogs.data.dataset import load_dataset

    dataset = load_dataset(DataConfig(dir=str(settings.data)), seed=0)
    num_threads = num_decode_threads(0)

    def ours() -> float:
        samples = dataset.splits["train"]
        batches = ViewBatches(
            samples, 1, (settings.size, settings.size), Config().augment, 0, 32, num_threads
        )
        start = time.perf_counter()
        with ThreadPoolExecutor(num_threads) as pool:
            count = sum(
                len(labels) for _, labels in pool.map(batches.__getitem__, range(len(batches)))
            )
        return count / (time.perf_counter() - start)

    flow = make_generator(32, settings.size, settings.data / "train", True, settings.classic_photos)

    def classic() -> float:
        start = time.perf_counter()
        count = sum(len(flow[index][1]) for index in range(len(flow)))
        return count / (time.perf_counter() - start)

    pairs = [(ours(), classic()) for _ in range(settings.repeats)]
    return [
        Row(
            f"generator alone, {num_threads} threads",
            f"{statistics.median(o for o, _ in pairs):,.0f} photos/s",
            f"{statistics.median(c for _, c in pairs):,.0f} photos/s",
            statistics.median(o / c for o, c in pairs),
        )
    ]


def trunk(settings: Settings) -> list[Row]:
    """The frozen layers: bare on prepared batches, and fed from photo files."""
    from catsdogs.config import AugmentConfig, DataConfig, ModelConfig
    from catsdogs.data.batches import num_decode_threads
    from catsdogs.data.dataset import load_dataset
    from catsdogs.modeling.classifier import build_classifier, split_at
    from catsdogs.modeling.feature_store import MemoryStore
    from catsdogs.modeling.features import FeatureSource, View
    from catsdogs.modeling.forward import forward_batch_size
    from catsdogs.modeling.precision import choose_precision

    precision = choose_precision()
    batch_size = forward_batch_size((settings.size, settings.size))
    model = build_classifier(
        ModelConfig(image_size=(settings.size, settings.size)), 2, precision.policy
    )
    layers, _ = split_at(model, "pooling")
    samples = load_dataset(DataConfig(dir=str(settings.data)), 0).splits["train"][:_TRUNK_PHOTOS]
    views = [View(sample, 0) for sample in samples]
    images = np.random.default_rng(0).integers(
        0, 256, (batch_size, settings.size, settings.size, 3), np.uint8
    )
    layers.predict_on_batch(images)

    def bare() -> float:
        num_batches = max(1, len(views) // batch_size)
        start = time.perf_counter()
        for _ in range(num_batches):
            layers.predict_on_batch(images)
        return num_batches * batch_size / (time.perf_counter() - start)

    def end_to_end() -> float:
        source = FeatureSource(layers, MemoryStore(), AugmentConfig(), seed=0)
        done = source.ensure(views, batch_size, num_decode_threads(0), lambda _: None)
        return done.num_computed / done.seconds

    pairs = [(end_to_end(), bare()) for _ in range(settings.repeats)]
    return [
        Row(
            f"frozen layers in {precision.name}: from files, against bare",
            f"{statistics.median(e for e, _ in pairs):.1f} photos/s",
            f"{statistics.median(b for _, b in pairs):.1f} photos/s",
            statistics.median(e / b for e, b in pairs),
        )
    ]


def train(settings: Settings) -> list[Row]:
    """`train` as a whole command, against the classic epoch."""
    epoch = _classic_epoch(settings, "train")
    rows = []
    for epochs in (1, 10):
        cache = settings.work / f"cache-{epochs}"
        cost = _ours(settings, "train", cache, f"--epochs={epochs}", "--set=train.patience=0")
        rows.append(_row(f"train --epochs {epochs}, nothing cached", cost, epochs * epoch))
    again = _ours(
        settings,
        "train",
        cache,
        "--epochs=10",
        "--set=model.head_units=128",
        "--set=train.patience=0",
    )
    rows.append(_row("train --epochs 10, another head, all cached", again, 10 * epoch))
    return rows


def finetune(settings: Settings) -> list[Row]:
    """`finetune --epochs 2` as a whole command, against two classic epochs."""
    epoch = _classic_epoch(settings, "finetune")
    cache = settings.work / "cache-finetune"
    _ours(settings, "train", cache, "--epochs=1")
    trained = settings.work / "models" / "catsdogs.h5"
    kept = settings.work / "trained.h5"
    shutil.copy(trained, kept)
    rows = []
    for state in ("nothing cached", "all cached"):
        shutil.copy(kept, trained)
        cost = _ours(settings, "finetune", cache, "--epochs=2")
        rows.append(_row(f"finetune --epochs 2, {state}", cost, 2 * epoch))
    return rows


def predict(settings: Settings) -> list[Row]:
    """`predict` of many photos against a loop of `load_img` and `model.predict`; and of one."""
    _ours(settings, "train", settings.work / "cache-predict", "--subsample=20", "--epochs=1")
    photos = list_photos(settings.data / "validation")
    classic_count = min(100, len(photos))
    classic = run_classic(
        "predict", settings.data, settings.work, photos=classic_count, size=settings.size
    )
    folder = str(settings.data / "validation")
    ours = run("catsdogs", "predict", folder, folder=settings.work)
    pairs = [
        (
            run("catsdogs", "predict", str(photos[0]), folder=settings.work).seconds,
            run("benchmarks.opening", "models/catsdogs.h5", folder=settings.work).seconds,
        )
        for _ in range(settings.repeats)
    ]
    return [
        _row(
            f"predict {len(photos):,} photos",
            ours,
            classic["seconds"] / classic_count * len(photos),
        ),
        Row(
            "predict one photo, against import and load_model",
            f"{statistics.median(o for o, _ in pairs):.1f} s",
            f"{statistics.median(c for _, c in pairs):.1f} s",
            statistics.median(o / c for o, c in pairs),
        ),
    ]


def scaling(settings: Settings) -> list[Row]:
    """Time and peak memory of `train` with 1, 2 and 4 times the photos."""
    rows = []
    for factor in (1, 2, 4):
        folder = _copies(settings, factor)
        cost = run(
            "catsdogs",
            "train",
            "--epochs=1",
            *settings.flags[:1],
            f"--data={folder}",
            f"--set=cache.dir={settings.work / f'cache-{factor}x'}",
            folder=settings.work,
        )
        count = factor * (settings.num_training + settings.num_validation)
        rows.append(
            Row(
                f"train --epochs 1, {count:,} photos",
                f"{cost.seconds:.0f} s, {cost.peak_mib:,.0f} MiB",
            )
        )
    return rows


def _copies(settings: Settings, factor: int) -> Path:
    """A folder of so many copies of each photo, each with another content."""
    folder = settings.work / f"photos-{factor}x"
    for split, copy in itertools.product(("train", "validation"), range(factor)):
        for path in list_photos(settings.data / split):
            target = folder / split / path.parent.name / f"{copy}-{path.name}"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes() + bytes(copy))  # behind the picture's end
    return folder


def _classic_epoch(settings: Settings, what: str) -> float:
    """Seconds of a classic epoch with validation on all photos, scaled up from fewer."""
    photos = min(settings.classic_photos, settings.num_training)
    validation = min(_CLASSIC_VALIDATION_PHOTOS, settings.num_validation)
    measured = run_classic(
        what,
        settings.data,
        settings.work,
        photos=photos,
        validation_photos=validation,
        size=settings.size,
    )
    share = (settings.num_training + settings.num_validation) / (photos + validation)
    return measured["seconds"] * share


def _ours(settings: Settings, command: str, cache: Path, *flags: str) -> Cost:
    return run(
        "catsdogs",
        command,
        *settings.flags[1:],
        f"--set=cache.dir={cache}",
        *flags,
        *(settings.flags[:1] if command == "train" else ()),
        folder=settings.work,
    )


def _row(what: str, cost: Cost, classic_seconds: float) -> Row:
    return Row(
        what,
        f"{cost.seconds:.1f} s, {cost.peak_mib:,.0f} MiB",
        f"{classic_seconds:.0f} s, scaled up",
        classic_seconds / cost.seconds,
    )


PARTS = {part.__name__: part for part in (generator, trunk, train, finetune, predict, scaling)}
