"""Where the features of a training are kept: on disk, and in memory where that fails."""

import math
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TypeVar

from catsdogs.config import Config
from catsdogs.console import Console
from catsdogs.data.dataset import Dataset
from catsdogs.data.layout import TRAIN
from catsdogs.data.skipping import refuse_too_many
from catsdogs.data.views import ViewReader
from catsdogs.network.backbones import finetune_boundary, get_backbone
from catsdogs.network.classifier_network import POOLING_NAME
from catsdogs.network.device import gpu_names
from catsdogs.network.precision import choose_precision
from catsdogs.training.cache_folder import TrunkCard, cache_dir, has_room
from catsdogs.training.disk_store import DiskStore
from catsdogs.training.feature_store import FeatureStore, MemoryStore, StoreError
from catsdogs.training.features import CachedFeatures
from catsdogs.training.photo_features import PhotoFeatures, Photos, TrainingSetup
from catsdogs.training.plan import TrainingPlan
from catsdogs.training.processes import ALONE, ProcessGroup
from catsdogs.training.trunk import Trunk, new_trunk

Result = TypeVar("Result")


def on_features(
    trunk: Trunk,
    boundary: str,
    setup: TrainingSetup,
    work: Callable[[CachedFeatures], Result],
) -> Result:
    """Do something with the features of photos, kept in the best place that has room.

    Args:
        trunk: what computes them.
        boundary: name of its last layer.
        setup: photos and settings.
        work: takes the features; begun anew with another place where one turns out not to do.

    Raises:
        StoreError: no place has room.
    """
    config, warn = setup.config, setup.console.warn
    problem = StoreError("the features can be kept nowhere")
    for store, ahead in _stores(trunk, boundary, setup):
        names = (boundary, ahead.boundary) if ahead else (boundary,)
        features = CachedFeatures(
            trunk.engine(*names, warn=warn),
            trunk.output_shape(boundary),
            store,
            ViewReader.of(config),
            warn,
            ahead.store if ahead else None,
            setup.processes,
        )
        try:
            return work(features)
        except StoreError as error:
            warn(f"feature store: {error}: going on without it")
            problem = error
    raise problem


def photo_features(
    config: Config, dataset: Dataset, console: Console, processes: ProcessGroup = ALONE
) -> Photos:
    """Pooled features of the training photos as they are, from the store where they are kept.

    Args:
        config: backbone, cache, threads.
        dataset: the photos; those that cannot be read leave it.
        console: where progress is shown.
        processes: those that compute them together.

    Raises:
        WeightsError: there are no weights of the backbone.
        DataError: no readable photos are left.
        StoreError: the features fit neither on the disk nor into memory.
        StopRequested: it was asked to stop.
        OutOfMemoryError: the device's memory is too small for a photo.
    """
    weights = get_backbone(config.model.backbone).load_weights(config.model.weights, config.seed)
    precision = choose_precision(config.precision).name
    trunk = new_trunk(config, weights, precision, len(dataset.class_names), processes)
    plan = TrainingPlan.of_head(config, dataset)
    setup = TrainingSetup(dataset, plan, config, console, processes=processes)
    refuse_too_many(dataset, config.data.max_unreadable)

    def gather(features: CachedFeatures) -> Photos:
        source = PhotoFeatures(features, setup)
        source.prepare(1)
        return source.photos(TRAIN)

    return on_features(trunk, POOLING_NAME, setup, gather)


@dataclass(frozen=True)
class _Ahead:
    """What is kept on the way through the trunk for a later training from a lower boundary."""

    boundary: str
    store: FeatureStore


def _stores(
    trunk: Trunk, boundary: str, setup: TrainingSetup
) -> Iterator[tuple[FeatureStore, _Ahead | None]]:
    """The places to keep features in, best first, each with what is kept ahead."""
    if setup.config.cache.enabled:
        try:
            with (
                closing(_disk_store(trunk, boundary, setup)) as store,
                _keeping_ahead(trunk, boundary, setup) as ahead,
            ):
                yield store, ahead
        except StoreError as error:
            setup.console.warn(f"feature store: {error}: going on without it")
    yield MemoryStore(), None


def _disk_store(trunk: Trunk, boundary: str, setup: TrainingSetup) -> DiskStore:
    config = setup.config
    card = TrunkCard(
        backbone=config.model.backbone,
        boundary=boundary,
        pooling=config.model.pooling if boundary == POOLING_NAME else "",
        image_size=config.model.image_size,
        engine=trunk.fingerprint,
        precision=trunk.precision,
        weights=trunk.hash_up_to(boundary),
        fit=config.model.fit,
    )
    return DiskStore(cache_dir(config.cache), card, config.cache.max_bytes, setup.console.warn)


@contextmanager
def _keeping_ahead(trunk: Trunk, boundary: str, setup: TrainingSetup) -> Iterator[_Ahead | None]:
    """What a later fine-tuning would start from, where a head is trained and all of it fits."""
    config = setup.config
    lower = finetune_boundary(get_backbone(config.model.backbone), config.finetune.block)
    num_views = (
        setup.num_training * min(config.augment.views, setup.plan.epochs) + setup.num_validation
    )
    num_bytes = 2 * math.prod(trunk.output_shape(lower))
    if (
        boundary != POOLING_NAME
        or not config.cache.ahead
        or gpu_names()
        or not has_room(cache_dir(config.cache), config.cache.max_bytes, num_views, num_bytes)
    ):
        yield None
        return
    try:
        store = _disk_store(trunk, lower, setup)
    except StoreError:  # fine-tuning will say so, where it matters
        yield None
        return
    with closing(store):
        yield _Ahead(lower, store)
