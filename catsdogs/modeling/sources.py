"""Where the batches of each epoch come from: stored features, or photos streamed anew."""

import math
from collections.abc import Callable, Iterator, Sequence

import keras

from catsdogs.config import Config
from catsdogs.data.batches import ViewBatches, decode_ahead, num_decode_threads, shuffled
from catsdogs.data.dataset import TRAIN, VALIDATION, Dataset, Sample
from catsdogs.data.images import read_photo
from catsdogs.errors import DataError
from catsdogs.modeling.classifier import (
    POOLING_NAME,
    build_classifier,
    convolution_layers,
    freeze_below,
    split_at,
)
from catsdogs.modeling.feature_store import (
    DiskStore,
    FeatureStore,
    MemoryStore,
    StoreError,
    TrunkCard,
    cache_dir,
)
from catsdogs.modeling.features import FeatureSource, View, hash_weights
from catsdogs.modeling.forward import forward_batch_size
from catsdogs.modeling.model_state import ModelState
from catsdogs.modeling.team import current_team
from catsdogs.modeling.training import (
    Console,
    History,
    Plan,
    StopRequested,
    Supervision,
    compile_for,
    fit_epochs,
)

VALIDATION_BATCH_SIZE = 32
"""Features in a step of validation."""


def train_above(
    model: keras.Model,
    boundary: str,
    dataset: Dataset,
    plan: Plan,
    config: Config,
    console: Console,
    supervision: Supervision | None = None,
) -> History:
    """Train the layers above a boundary and leave the kept epoch's weights in the model.

    What the frozen layers give is computed once for each photo and view and kept in the
    feature store. With `augment.views = 0`, or where features cannot be kept at all, every
    epoch runs fresh views through the whole network.

    Args:
        model: classifier, as `build_classifier` makes it.
        boundary: name of the last frozen layer.
        dataset: photos of `train` and `validation`; those that cannot be read are moved
            from its splits to its list of unreadable files.
        plan: how to train.
        config: views, cache, threads, seed.
        console: where progress is shown.
        supervision: where the training goes on, and who may end it.

    Raises:
        DataError: no readable photos are left to train on or to validate with.
        StopRequested: it was asked to stop before the first epoch had ended.
    """
    supervision = supervision or Supervision()
    team = current_team()
    freeze_below(model, boundary)
    with team.training_scope():
        trained = model if len(team.devices) < 2 else _twin(model, boundary, dataset, config)
        history = _train(model, trained, boundary, dataset, plan, config, console, supervision)
    if trained is not model:
        model.set_weights(trained.get_weights())
    return history


def _twin(model: keras.Model, boundary: str, dataset: Dataset, config: Config) -> keras.Model:
    """The same classifier once more, its variables where the scope around it wants them."""
    twin = build_classifier(
        config.model,
        len(dataset.class_names),
        convolution_layers(model)[0].dtype_policy,
        model.get_layer("dropout").seed,
    )
    twin.set_weights(model.get_weights())
    freeze_below(twin, boundary)
    return twin


def _train(
    model: keras.Model,
    trained: keras.Model,
    boundary: str,
    dataset: Dataset,
    plan: Plan,
    config: Config,
    console: Console,
    supervision: Supervision,
) -> History:
    if config.augment.views:
        with current_team().forward_scope():
            # other than what is trained, it is on the devices of this process alone
            on_one = len(current_team().local_devices) < 2
            forward = model if on_one else _twin(model, boundary, dataset, config)
        trunk, _ = split_at(forward, boundary)
        _, tail = split_at(trained, boundary)
        card = TrunkCard(
            backbone=config.model.backbone,
            boundary=boundary,
            pooling=config.model.pooling if boundary == POOLING_NAME else "",
            image_size=config.model.image_size,
            precision=convolution_layers(model)[0].compute_dtype,
            weights=hash_weights(trunk),
        )
        compile_for(tail, plan.learning_rate)
        start = ModelState.of(tail)
        for store in _stores(card, config, console):
            features = FeatureSource(trunk, store, config.augment, config.seed, console.warn)
            try:
                source = FeatureEpochs(
                    tail, features, dataset, plan, config, console, supervision.should_stop
                )
                return fit_epochs(source, plan, console, supervision)
            except StoreError as error:
                console.warn(f"feature store: {error}: going on without it")
                if supervision.progress.state is None:
                    start.restore(tail)
    streamed = StreamedEpochs(trained, dataset, plan, config, console, supervision.should_stop)
    return fit_epochs(streamed, plan, console, supervision)


def _stores(card: TrunkCard, config: Config, console: Console) -> Iterator[FeatureStore]:
    """The places to keep features in, best first."""
    if config.cache.enabled:
        try:
            store = DiskStore(cache_dir(config.cache), card, int(config.cache.max_gib * 2**30))
        except StoreError as error:
            console.warn(f"feature store: {error}: going on without it")
        else:
            try:
                yield store
            finally:
                store.close()
    yield MemoryStore()


class FeatureEpochs:
    """Epochs on stored features: epoch e takes view (e - 1) mod `augment.views`."""

    def __init__(
        self,
        tail: keras.Model,
        features: FeatureSource,
        dataset: Dataset,
        plan: Plan,
        config: Config,
        console: Console,
        should_stop: Callable[[], bool],
    ) -> None:
        self.model = tail
        self._features = features
        self._dataset = dataset
        self._plan = plan
        self._config = config
        self._console = console
        self._should_stop = should_stop
        self.num_frozen = 0
        self.frozen_seconds = 0.0

    @property
    def num_training(self) -> int:
        return self._dataset.count(TRAIN)

    @property
    def num_validation(self) -> int:
        return self._dataset.count(VALIDATION)

    def _view_number(self, epoch: int) -> int:
        return (epoch - 1) % self._config.augment.views

    def prepare(self, epoch: int) -> None:
        views = [View(sample, 0) for sample in self._dataset.splits[VALIDATION]]
        if epoch:
            number = self._view_number(epoch)
            views += [View(sample, number) for sample in self._dataset.splits[TRAIN]]
        team = current_team()
        missing = sum(team.exchange(self._features.count_missing(views)))
        if not missing:
            return
        missing = math.ceil(missing / team.num_processes)
        with self._console.task("frozen layers", missing) as task:

            def on_computed(count: int) -> None:
                task.advance(count)
                if self._should_stop():
                    raise StopRequested

            ensure = self._features.ensure
            if team.num_processes > 1:
                ensure = self._features.ensure_together
            done = ensure(
                views,
                forward_batch_size(self._config.model.image_size) * max(1, len(team.local_devices)),
                num_decode_threads(self._config.data.decode_threads),
                on_computed,
            )
        self._console.note(
            f"frozen layers: {done.num_computed:,} photos in {done.seconds:.1f} s "
            f"({done.num_computed / done.seconds:.1f}/s), {done.num_found:,} from the cache"
        )
        self.num_frozen += done.num_computed
        self.frozen_seconds += done.seconds
        drop_unreadable(self._dataset, done.failures)

    def training_batches(self, epoch: int) -> keras.utils.PyDataset:
        samples = shuffled(self._dataset.splits[TRAIN], self._config.seed, epoch)
        views = [View(sample, self._view_number(epoch)) for sample in samples]
        return self._features.batches(views, self._plan.batch_size)

    def validation_batches(self) -> keras.utils.PyDataset:
        views = [View(sample, 0) for sample in self._dataset.splits[VALIDATION]]
        return self._features.batches(views, VALIDATION_BATCH_SIZE)


class StreamedEpochs:
    """Epochs on the photos themselves: epoch e takes view e of each, through all layers."""

    num_frozen = 0
    frozen_seconds = 0.0

    def __init__(
        self,
        model: keras.Model,
        dataset: Dataset,
        plan: Plan,
        config: Config,
        console: Console,
        should_stop: Callable[[], bool],
    ) -> None:
        self.model = model
        self._dataset = dataset
        self._plan = plan
        self._config = config
        self._console = console
        self._should_stop = should_stop
        self._num_threads = num_decode_threads(config.data.decode_threads)
        self._checked = False

    @property
    def num_training(self) -> int:
        return self._dataset.count(TRAIN)

    @property
    def num_validation(self) -> int:
        return self._dataset.count(VALIDATION)

    def prepare(self, epoch: int) -> None:
        """Find the unreadable photos before the first epoch, which they would stop."""
        if self._checked:
            return
        samples = [*self._dataset.splits[TRAIN], *self._dataset.splits[VALIDATION]]
        with self._console.task("checking photos", len(samples)) as task:
            drop_unreadable(self._dataset, self._failures(samples, task.advance))
        self._checked = True

    def _failures(
        self, samples: Sequence[Sample], advance: Callable[[int], None]
    ) -> list[tuple[Sample, str]]:
        size = self._config.model.image_size
        batches = decode_ahead(
            lambda position: read_photo(samples[position].path, size),
            len(samples),
            VALIDATION_BATCH_SIZE,
            self._num_threads,
        )
        failures = []
        for batch in batches:
            failures += [(samples[position], reason) for position, reason in batch.failures]
            advance(len(batch.positions) + len(batch.failures))
            if self._should_stop():
                raise StopRequested
        return failures

    def training_batches(self, epoch: int) -> keras.utils.PyDataset:
        samples = shuffled(self._dataset.splits[TRAIN], self._config.seed, epoch)
        return self._batches(samples, epoch)

    def validation_batches(self) -> keras.utils.PyDataset:
        return self._batches(self._dataset.splits[VALIDATION], 0)

    def _batches(self, samples: Sequence[Sample], view_number: int) -> ViewBatches:
        return ViewBatches(
            samples,
            view_number,
            self._config.model.image_size,
            self._config.augment,
            self._config.seed,
            self._plan.batch_size,
            self._num_threads,
            current_team().share,
        )


def drop_unreadable(dataset: Dataset, failures: Sequence[tuple[Sample, str]]) -> None:
    """Move photos that could not be read from the splits to the list of unreadable files.

    Raises:
        DataError: a split has no photos left.
    """
    if not failures:
        return
    dropped = {sample.path for sample, _ in failures}
    dataset.unreadable += [(sample.path, reason) for sample, reason in failures]
    for split, samples in dataset.splits.items():
        dataset.splits[split] = [sample for sample in samples if sample.path not in dropped]
        if samples and not dataset.splits[split]:
            path, reason = dataset.unreadable[0]
            raise DataError(f"no {split} photo can be read, e.g. {path}: {reason}")
