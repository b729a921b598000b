"""What one device does, against the classic Keras recipe on it, with the same backend.

    KERAS_BACKEND=jax python -m benchmarks.device --data data

Photos per second of each stage tell what bounds the whole: decoding, the frozen layers, or
what lies between them. It runs on a GPU and on a CPU.
"""

import json
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.measure import run_classic
from benchmarks.parts import finetune, train
from benchmarks.settings import Row, Settings
from catsdogs.network.backend import import_backend

_TAIL_BATCHES = _BARE_BATCHES = 10


def decoding(settings: Settings) -> list[Row]:
    """Photos per second that the decode threads deliver when nobody else needs the cores."""
    from catsdogs.data.batches import decode_ahead, num_decode_threads
    from catsdogs.data.images import read_photo
    from catsdogs.data.walking import list_photos

    paths = list_photos(settings.data / "train")[:1000]
    size = (settings.size, settings.size)
    num_threads = num_decode_threads(0)
    start = time.perf_counter()
    batches = decode_ahead(lambda i: read_photo(paths[i], size), len(paths), 32, num_threads)
    count = sum(len(batch.positions) for batch in batches)
    rate = count / (time.perf_counter() - start)
    return [Row(f"decode and resize, {num_threads} threads", f"{rate:,.0f} photos/s")]


def trunk(settings: Settings) -> list[Row]:
    """Photos per second of the frozen layers from files to features, against them alone."""
    from catsdogs.config import AugmentConfig, DataConfig, ModelConfig
    from catsdogs.data.batches import num_decode_threads
    from catsdogs.data.dataset import load_dataset
    from catsdogs.data.views import ViewReader
    from catsdogs.network.classifier import build_classifier, split_at
    from catsdogs.network.engines.keras_engine import KerasEngine, forward_batch_size
    from catsdogs.network.precision import choose_precision
    from catsdogs.training.feature_store import MemoryStore
    from catsdogs.training.features import CachedFeatures, View

    size = (settings.size, settings.size)
    batch_size = forward_batch_size(size)
    precision = choose_precision()
    layers, _ = split_at(
        build_classifier(ModelConfig(image_size=size), 2, precision.policy), "pooling"
    )
    images = np.zeros((batch_size, *size, 3), np.uint8)
    layers.predict_on_batch(images)
    samples = load_dataset(DataConfig(dir=str(settings.data)), 0).splits["train"]
    views = [View(sample, 0) for sample in samples]

    def bare() -> float:
        start = time.perf_counter()
        for _ in range(_BARE_BATCHES):
            layers.predict_on_batch(images)
        return _BARE_BATCHES * batch_size / (time.perf_counter() - start)

    def end_to_end() -> float:
        engine = KerasEngine(layers, precision.name, batch_size=batch_size)
        reader = ViewReader(size, AugmentConfig(), seed=0)
        source = CachedFeatures(engine, layers.output.shape[1:], MemoryStore(), reader)
        done = source.ensure(views, num_decode_threads(0), lambda _: None)
        return done.num_computed / done.seconds

    pairs = [(end_to_end(), bare()) for _ in range(settings.repeats)]
    what = f"frozen layers from files, batches of {batch_size}, against them alone"
    return [Row.of_rates(what, pairs)]


def tail(settings: Settings) -> list[Row]:
    """Photos per second of fine-tuning block5 on features, against all layers at once."""
    import keras

    from catsdogs.config import Config, ModelConfig
    from catsdogs.network.classifier import build_classifier, freeze_below, split_at
    from catsdogs.network.precision import choose_precision
    from catsdogs.training.objective import compile_for, giving_logits

    batch_size = Config().finetune.batch_size
    model = build_classifier(
        ModelConfig(image_size=(settings.size, settings.size)), 2, choose_precision().policy
    )
    freeze_below(model, "block4_pool")
    _, layers = split_at(model, "block4_pool")
    compile_for(layers, 1e-5)
    features = np.zeros((batch_size * _TAIL_BATCHES, *layers.input.shape[1:]), np.float16)
    labels = np.zeros(len(features), np.int32)
    with giving_logits(layers):
        layers.fit(features[:batch_size], labels[:batch_size], batch_size=batch_size, verbose=0)
        start = time.perf_counter()
        layers.fit(features, labels, batch_size=batch_size, verbose=0)
    ours = len(features) / (time.perf_counter() - start)
    keras.utils.clear_session(free_memory=True)
    photos = min(settings.classic_photos, settings.num_training)
    classic = {}
    for what in ("train", "finetune"):
        seconds = run_classic(
            what,
            settings.data,
            settings.work,
            photos=photos,
            validation_photos=32,
            size=settings.size,
        )["seconds"]
        classic[what] = (photos + 32) / seconds
    return [
        Row("classic recipe, frozen VGG16", f"{classic['train']:.1f} photos/s"),
        Row(
            "block5 and head trained on features, against the classic recipe",
            f"{ours:.1f} photos/s",
            f"{classic['finetune']:.1f} photos/s",
            ours / classic["finetune"],
        ),
    ]


@click.command()
@click.option("--data", default="data", type=click.Path(exists=True, path_type=Path))
@click.option("--size", default=224, show_default=True, help="Height and width in pixels.")
@click.option("--repeats", default=3, show_default=True)
@click.option("--classic-photos", default=200, show_default=True)
@click.option("--commands/--no-commands", default=True, help="Time whole commands too.")
@click.option("--output", default="device.json", type=click.Path(path_type=Path))
def main(
    data: Path, size: int, repeats: int, classic_photos: int, commands: bool, output: Path
) -> None:
    """Measure every stage on the device that the Keras backend uses."""
    import_backend()
    from catsdogs.commands.info import info

    facts = info()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as work:
        settings = Settings(data.resolve(), Path(work), size, repeats, classic_photos)
        for part in (decoding, trunk, tail, *((train, finetune) if commands else ())):
            rows += part(settings)
    table = Table("what", "ours", "compared with", "ratio")
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        table.add_row(row.what, row.ours, row.compared, ratio)
    console = Console()
    console.print(table)
    console.print(f"{facts['backend']}, {facts['device']}, {facts['memory']}, {facts['precision']}")
    output.write_text(json.dumps({"facts": facts, "rows": [asdict(row) for row in rows]}, indent=1))


if __name__ == "__main__":
    main()
