"""Train the layers above a boundary: on stored features where they can be kept."""

import math
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TypeVar

import keras

from catsdogs.data.dataset import TRAIN
from catsdogs.data.skipping import refuse_too_many
from catsdogs.data.views import ViewReader
from catsdogs.network.backbones import finetune_boundary, get_backbone
from catsdogs.network.classifier import (
    POOLING_NAME,
    build_twin,
    freeze_below,
    split_at,
)
from catsdogs.network.device import gpu_names
from catsdogs.training.epochs import FeatureEpochs, Photos, StreamedEpochs, TrainingSetup
from catsdogs.training.feature_store import (
    DiskStore,
    FeatureStore,
    MemoryStore,
    StoreError,
    TrunkCard,
    cache_dir,
    has_room,
)
from catsdogs.training.features import CachedFeatures, hash_weights
from catsdogs.training.fitting import compile_for, fit_epochs
from catsdogs.training.heads.solving import solve_head
from catsdogs.training.history import History
from catsdogs.training.model_state import ModelState
from catsdogs.training.trunk import TrunkEngines


def train_above(model: keras.Model, boundary: str, setup: TrainingSetup) -> History:
    """Train the layers above a boundary and leave the kept epoch's weights in the model.

    What the frozen layers give is computed once for each photo and view and kept in the
    feature store. With `augment.views = 0`, or where features cannot be kept at all, every
    epoch runs fresh views through the whole network.

    Args:
        model: classifier, as `build_classifier` makes it.
        boundary: name of the last frozen layer.
        setup: photos and settings.

    Raises:
        DataError: no readable photos are left to train on or to validate with, or more than
            `data.max_unreadable` are unreadable.
        StopRequested: it was asked to stop before the first epoch had ended.
        OutOfMemoryError: the device's memory is too small.
    """
    refuse_too_many(setup.dataset, setup.config.data.max_unreadable)
    processes = setup.processes
    freeze_below(model, boundary)
    with processes.training_scope():
        trained = model if len(processes.devices) < 2 else _twin(model, boundary, setup)
        history = _train(model, trained, boundary, setup)
    if trained is not model:
        model.set_weights(trained.get_weights())
    return history


def photo_features(model: keras.Model, setup: TrainingSetup) -> Photos:
    """Pooled features of the training photos as they are, from the store where they are kept.

    Args:
        model: classifier, as `build_classifier` makes it; only its backbone matters.
        setup: photos and settings.

    Raises:
        DataError: no readable photos are left.
        StoreError: the features fit neither on the disk nor into memory.
        StopRequested: it was asked to stop.
        OutOfMemoryError: the device's memory is too small for a photo.
    """
    refuse_too_many(setup.dataset, setup.config.data.max_unreadable)

    def gather(source: FeatureEpochs) -> Photos:
        source.prepare(1)
        return source.photos(TRAIN)

    return _on_features(model, model, POOLING_NAME, setup, gather)


def _twin(model: keras.Model, boundary: str, setup: TrainingSetup) -> keras.Model:
    """The same classifier once more, its variables where the scope around it wants them."""
    twin = build_twin(model, setup.config.model)
    freeze_below(twin, boundary)
    return twin


def _train(
    model: keras.Model, trained: keras.Model, boundary: str, setup: TrainingSetup
) -> History:
    """Train `trained`, which is `model` or its twin on all devices, the best way there is."""
    if setup.config.augment.views or setup.plan.solved:
        history = _train_on_features(model, trained, boundary, setup)
        if history is not None:
            return history
    streamed = StreamedEpochs(trained, setup)
    history = fit_epochs(streamed, setup.plan, setup.console, setup.supervision)
    streamed.drop_lost()
    return history


def _train_on_features(
    model: keras.Model, trained: keras.Model, boundary: str, setup: TrainingSetup
) -> History | None:
    """Train the tail; None where its features can be kept nowhere."""
    fit = solve_head if setup.plan.solved else fit_epochs
    try:
        return _on_features(
            model,
            trained,
            boundary,
            setup,
            lambda batches: fit(batches, setup.plan, setup.console, setup.supervision),
        )
    except StoreError:
        if setup.plan.solved:
            raise
        return None


Result = TypeVar("Result")


def _on_features(
    model: keras.Model,
    trained: keras.Model,
    boundary: str,
    setup: TrainingSetup,
    work: Callable[[FeatureEpochs], Result],
) -> Result:
    """Do something with the tail and its features, kept in the best place that has room.

    Raises:
        StoreError: no place has.
    """
    config = setup.config
    with setup.processes.forward_scope():
        # other than what is trained, it is on the devices of this process alone
        on_one = len(setup.processes.local_devices) < 2
        frozen = model if on_one else _twin(model, boundary, setup)
    engines = TrunkEngines(frozen, config, setup.processes, setup.console.warn)
    _, tail = split_at(trained, boundary)
    compile_for(tail, setup.plan.learning_rate, setup.plan.class_weights)
    start = ModelState.of(tail)
    shape = tuple(tail.input.shape[1:])
    problem = StoreError("the features can be kept nowhere")
    for store, ahead in _stores(frozen, boundary, setup, engines):
        features = CachedFeatures(
            engines.make(boundary, ahead.boundary) if ahead else engines.make(boundary),
            shape,
            store,
            ViewReader.of(config),
            setup.console.warn,
            ahead.store if ahead else None,
            setup.processes,
        )
        try:
            return work(FeatureEpochs(tail, features, setup))
        except StoreError as error:
            setup.console.warn(f"feature store: {error}: going on without it")
            problem = error
            if setup.supervision.progress.state is None:
                start.restore(tail)
    raise problem


@dataclass(frozen=True)
class _Ahead:
    """What is kept on the way through the trunk for a later training from a lower boundary."""

    boundary: str
    store: FeatureStore


def _stores(
    model: keras.Model, boundary: str, setup: TrainingSetup, engines: TrunkEngines
) -> Iterator[tuple[FeatureStore, _Ahead | None]]:
    """The places to keep features in, best first, each with what is kept ahead."""
    if setup.config.cache.enabled:
        try:
            with (
                closing(_disk_store(model, boundary, setup, engines)) as store,
                _keeping_ahead(model, boundary, setup, engines) as ahead,
            ):
                yield store, ahead
        except StoreError as error:
            setup.console.warn(f"feature store: {error}: going on without it")
    yield MemoryStore(), None


def _disk_store(
    model: keras.Model, boundary: str, setup: TrainingSetup, engines: TrunkEngines
) -> DiskStore:
    config = setup.config
    trunk, _ = split_at(model, boundary)
    card = TrunkCard(
        backbone=config.model.backbone,
        boundary=boundary,
        pooling=config.model.pooling if boundary == POOLING_NAME else "",
        image_size=config.model.image_size,
        engine=engines.fingerprint,
        precision=engines.precision,
        weights=hash_weights(trunk),
        fit=config.model.fit,
    )
    return DiskStore(cache_dir(config.cache), card, config.cache.max_bytes, setup.console.warn)


@contextmanager
def _keeping_ahead(
    model: keras.Model, boundary: str, setup: TrainingSetup, engines: TrunkEngines
) -> Iterator[_Ahead | None]:
    """What a later fine-tuning would start from, where a head is trained and all of it fits."""
    config = setup.config
    lower = finetune_boundary(get_backbone(config.model.backbone), config.finetune.block)
    output = model.get_layer(lower).output
    num_views = (
        setup.num_training * min(config.augment.views, setup.plan.epochs) + setup.num_validation
    )
    num_bytes = 2 * math.prod(output.shape[1:])
    if (
        boundary != POOLING_NAME
        or not config.cache.ahead
        or gpu_names()
        or not has_room(cache_dir(config.cache), config.cache.max_bytes, num_views, num_bytes)
    ):
        yield None
        return
    try:
        store = _disk_store(model, lower, setup, engines)
    except StoreError:  # fine-tuning will say so, where it matters
        yield None
        return
    with closing(store):
        yield _Ahead(lower, store)
