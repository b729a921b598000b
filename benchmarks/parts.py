"""The parts of the benchmark; each gives rows of the table."""

import itertools
import shutil
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.ceiling import ceiling
from benchmarks.engines import decode_threads, engines
from benchmarks.measure import Cost, run, run_classic
from benchmarks.serving import serving
from benchmarks.settings import Row, Settings
from catsdogs.data.walking import list_photos
from catsdogs.run import list_run_dirs

_CLASSIC_VALIDATION_PHOTOS = 80


def generator(settings: Settings) -> list[Row]:
    """Photos per second of the batch generators alone, with the same augmentation."""
    from benchmarks.classic import make_generator
    from catsdogs.config import Config, DataConfig
    from catsdogs.data.batches import num_decode_threads
    from catsdogs.data.dataset import load_dataset
    from catsdogs.data.views import ViewReader
    from catsdogs.training.view_batches import ViewBatches

    dataset = load_dataset(DataConfig(dir=str(settings.data)), seed=0)
    num_threads = num_decode_threads(0)

    def ours() -> float:
        samples = dataset.splits["train"]
        batches = ViewBatches(
            samples,
            1,
            ViewReader((settings.size, settings.size), Config().augment, 0),
            32,
            num_threads,
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
    return [Row.of_rates(f"generator alone, {num_threads} threads", pairs)]


def train(settings: Settings) -> list[Row]:
    """`train` as a whole command, against the classic epoch; and what comes before its steps."""
    costs: dict[str, list[tuple[Cost, float]]] = {}
    startups = []
    for _ in range(settings.repeats):
        epoch = _classic_epoch(settings, "train")
        for epochs in (1, 10):
            what = f"train --epochs {epochs}, nothing cached"
            cache = _empty(settings.work / "cache-train")
            cost = _ours(settings, "train", cache, f"--epochs={epochs}", "--set=train.patience=0")
            costs.setdefault(what, []).append((cost, epochs * epoch))
        again = _ours(
            settings,
            "train",
            cache,
            "--epochs=10",
            "--set=model.head_units=128",
            "--set=train.patience=0",
        )
        what = "train --epochs 10, another head, all cached"
        costs.setdefault(what, []).append((again, 10 * epoch))
        startups.append(again.seconds - _epoch_seconds(settings.work))
    rows = [_row(what, pairs) for what, pairs in costs.items()]
    startup = f"{statistics.median(startups):.1f} s"
    return [*rows, Row("train, all cached: outside its epochs", startup)]


def _epoch_seconds(folder: Path) -> float:
    """Seconds in the epochs of the newest run."""
    newest = list_run_dirs(folder / "runs")[-1]
    return sum(epoch["seconds"] or 0 for epoch in newest.read_history())


def finetune(settings: Settings) -> list[Row]:
    """`finetune --epochs 2` as a whole command, against two classic epochs."""
    cache = _empty(settings.work / "cache-finetune")
    _ours(settings, "train", cache, "--epochs=1")
    trained = settings.work / "models" / "catsdogs.h5"
    head_only = settings.work / "trained.h5"
    shutil.copy(trained, head_only)
    costs: dict[str, list[tuple[Cost, float]]] = {}
    for _ in range(settings.repeats):
        epoch = _classic_epoch(settings, "finetune")
        nothing = _empty(settings.work / "cache-nothing")
        for state, folder in (("nothing cached", nothing), ("on what train kept", cache)):
            shutil.copy(head_only, trained)
            cost = _ours(settings, "finetune", folder, "--epochs=2")
            costs.setdefault(f"finetune --epochs 2, {state}", []).append((cost, 2 * epoch))
    return [_row(what, pairs) for what, pairs in costs.items()]


def predict(settings: Settings) -> list[Row]:
    """`predict` of many photos against a loop of `load_img` and Keras' `predict`; and of one."""
    _ours(settings, "train", settings.work / "cache-predict", "--subsample=20", "--epochs=1")
    photos = list_photos(settings.data / "validation")
    classic_count = min(100, len(photos))
    folder = str(settings.data / "validation")
    peak_mib = 0.0
    many, one, alone = [], [], []
    for _ in range(settings.repeats):
        classic = run_classic(
            "predict", settings.data, settings.work, photos=classic_count, size=settings.size
        )
        ours = run("catsdogs", "predict", folder, folder=settings.work)
        many.append((ours, classic["seconds"] / classic_count * len(photos)))
        single = run("catsdogs", "predict", str(photos[0]), folder=settings.work)
        peak_mib = max(peak_mib, single.peak_mib)
        opening = run("benchmarks.opening", "models/catsdogs.h5", folder=settings.work)
        one.append((single.seconds, opening.seconds))
        importing = run("benchmarks.opening", folder=settings.work)
        alone.append((single.seconds, importing.seconds))
    return [
        _row(f"predict {len(photos):,} photos", many),
        _share("predict one photo, against importing Keras and load_model", one),
        _share("predict one photo, against importing Keras alone", alone),
        Row("predict one photo, peak memory", f"{peak_mib:,.0f} MiB"),
    ]


def _share(what: str, pairs: list[tuple[float, float]]) -> Row:
    """Medians of our seconds, of the other ones and of ours as a share of them, pair by pair."""
    return Row(
        what,
        f"{statistics.median(ours for ours, _ in pairs):.1f} s",
        f"{statistics.median(other for _, other in pairs):.1f} s",
        statistics.median(ours / other for ours, other in pairs),
    )


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


def _empty(folder: Path) -> Path:
    """The same path, with nothing there any more."""
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def _row(what: str, pairs: list[tuple[Cost, float]]) -> Row:
    """Medians of our costs, of the classic seconds and of their ratios, pair by pair."""
    return Row(
        what,
        f"{statistics.median(cost.seconds for cost, _ in pairs):.1f} s, "
        f"{max(cost.peak_mib for cost, _ in pairs):,.0f} MiB",
        f"{statistics.median(seconds for _, seconds in pairs):.0f} s, scaled up",
        statistics.median(seconds / cost.seconds for cost, seconds in pairs),
    )


_ORDER = (generator, ceiling, engines, decode_threads, train, finetune, predict, serving, scaling)

PARTS = {part.__name__.replace("_", "-"): part for part in _ORDER}
