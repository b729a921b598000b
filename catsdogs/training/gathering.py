"""Features of photos as they are, in memory: from the store where they are, else computed."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from catsdogs.config import Config
from catsdogs.console import Console
from catsdogs.data.batches import num_decode_threads
from catsdogs.data.dataset import Sample
from catsdogs.data.views import ViewReader
from catsdogs.training.feature_store import (
    DiskStore,
    FeatureStore,
    MemoryStore,
    StoreError,
    cache_dir,
)
from catsdogs.training.features import CachedFeatures, View
from catsdogs.training.pooled_trunk import PooledTrunk


@dataclass(frozen=True)
class Gathered:
    """Photos with their features.

    Attributes:
        samples: those that could be read, in their order.
        features: float16 `(n, features)`, of the same photos.
        unreadable: the others, with the reason.
    """

    samples: list[Sample]
    features: np.ndarray
    unreadable: list[tuple[Sample, str]]


def gather_features(
    trunk: PooledTrunk, samples: Sequence[Sample], config: Config, console: Console
) -> Gathered:
    """Compute the features that are not in the store, keep them there, and read all.

    Args:
        trunk: what computes them.
        samples: photos with their content hashes.
        config: the cache, threads, and how photos are brought to their size.
        console: where progress is shown, and why nothing is kept.

    Raises:
        StoreError: the features fit neither on the disk nor into memory.
        OutOfMemoryError: the device's memory is too small for a photo.
        DivergedError: the network gives numbers that are NaN or infinite.
    """
    views = [View(sample, 0) for sample in samples]
    problem = StoreError("the features can be kept nowhere")
    for store in _stores(trunk, config, console):
        source = CachedFeatures(
            trunk.engine, (trunk.num_features,), store, ViewReader.of(config), console.warn
        )
        try:
            failures = dict(_ensure(source, views, config, console))
            read = [view for view in views if view.sample not in failures]
            return Gathered([v.sample for v in read], source.read(read), list(failures.items()))
        except StoreError as error:
            console.warn(f"feature store: {error}: going on without it")
            problem = error
    raise problem


def _ensure(
    source: CachedFeatures, views: Sequence[View], config: Config, console: Console
) -> list[tuple[Sample, str]]:
    missing = source.count_missing(views)
    if not missing:
        return []
    with console.task("features", missing) as task:
        threads = num_decode_threads(config.data.decode_threads)
        done = source.ensure(views, threads, task.advance)
    console.note(
        f"features: {done.num_computed:,} photos in {done.seconds:.1f} s, {done.num_found:,} from "
        f"the cache; {source.engine_fingerprint}"
    )
    return done.failures


def _stores(trunk: PooledTrunk, config: Config, console: Console) -> Iterator[FeatureStore]:
    """The places to keep features in, best first."""
    if config.cache.enabled:
        try:
            folder = cache_dir(config.cache)
            store = DiskStore(folder, trunk.card, config.cache.max_bytes, console.warn)
            with closing(store):
                yield store
        except StoreError as error:
            console.warn(f"feature store: {error}: going on without it")
    yield MemoryStore()
