"""Where the batches of each epoch come from: stored features, or photos streamed anew."""

import math
from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np

from catsdogs.config import Config
from catsdogs.data.augmentation import read_view
from catsdogs.data.batches import ViewBatches, decode_ahead, shuffled
from catsdogs.data.dataset import TRAIN, VALIDATION, Dataset, Sample
from catsdogs.data.skipping import drop_unreadable, refuse_too_many
from catsdogs.data.threads import num_decode_threads
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
        DataError: no readable photos are left to train on or to validate with, or more than
            `data.max_unreadable` are unreadable.
        StopRequested: it was asked to stop before the first epoch had ended.
    """
    supervision = supervision or Supervision()
    refuse_too_many(dataset, config.data.max_unreadable)
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
    history = fit_epochs(streamed, plan, console, supervision)
    streamed.drop_lost()
    return history


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
        drop_unreadable(self._dataset, done.failures, self._config.data.max_unreadable)

    def training_batches(self, epoch: int) -> keras.utils.PyDataset:
        samples = shuffled(self._dataset.splits[TRAIN], self._config.seed, epoch)
        views = [View(sample, self._view_number(epoch)) for sample in samples]
        return self._features.batches(views, self._plan.batch_size)

    def validation_batches(self) -> keras.utils.PyDataset:
        views = [View(sample, 0) for sample in self._dataset.splits[VALIDATION]]
        return self._features.batches(views, VALIDATION_BATCH_SIZE)


class StreamedEpochs:
    """Epochs on the photos themselves: epoch e takes view e of each, through all layers.

    A photo that gets lost meanwhile is left out of its batch, and of all later epochs.
    """

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
        self._handed_out: list[ViewBatches] = []

    @property
    def num_training(self) -> int:
        return self._dataset.count(TRAIN)

    @property
    def num_validation(self) -> int:
        return self._dataset.count(VALIDATION)

    def prepare(self, epoch: int) -> None:
        """Find the unreadable photos before the first epoch, and those lost since."""
        self.drop_lost()
        if self._checked:
            return
        samples = [*self._dataset.splits[TRAIN], *self._dataset.splits[VALIDATION]]
        team = current_team()
        mine = samples[team.process_id :: team.num_processes]
        with self._console.task("checking photos", len(mine)) as task:
            failures = list(self._of_all(dict(self._failures(mine, task.advance))).items())
        drop_unreadable(self._dataset, failures, self._config.data.max_unreadable)
        self._checked = True

    def _failures(
        self, samples: Sequence[Sample], advance: Callable[[int], None]
    ) -> list[tuple[Sample, str]]:
        size, augment, seed = (
            self._config.model.image_size,
            self._config.augment,
            self._config.seed,
        )

        def read(position: int) -> np.ndarray:
            sample = samples[position]
            return read_view(sample.path, sample.content_hash, 0, size, augment, seed)

        batches = decode_ahead(
            read,
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

    def _of_all(self, lost: dict[Sample, str]) -> dict[Sample, str]:
        """What any process could not read: each knows of its own part."""
        samples = [*self._dataset.splits[TRAIN], *self._dataset.splits[VALIDATION]]
        mine = {str(index): lost[sample] for index, sample in enumerate(samples) if sample in lost}
        together: dict[Sample, str] = {}
        for others in current_team().exchange(mine):
            together |= {samples[int(index)]: reason for index, reason in others.items()}
        return together

    def training_batches(self, epoch: int) -> keras.utils.PyDataset:
        samples = shuffled(self._dataset.splits[TRAIN], self._config.seed, epoch)
        return self._batches(samples, epoch)

    def validation_batches(self) -> keras.utils.PyDataset:
        self.drop_lost()
        return self._batches(self._dataset.splits[VALIDATION], 0)

    def drop_lost(self) -> None:
        """Leave out from now on what could not be read since it was checked.

        Raises:
            DataError: so much that the figures are worth nothing.
        """
        lost = {sample: reason for batches in self._handed_out for sample, reason in batches.lost}
        lost = self._of_all(lost)
        emptied = any(batches.is_any_empty for batches in self._handed_out)
        self._handed_out.clear()
        drop_unreadable(self._dataset, list(lost.items()), self._config.data.max_unreadable)
        if emptied:
            path, reason = self._dataset.unreadable[-1]
            raise DataError(
                f"the photos of a whole batch got lost, e.g. {path}: {reason}: "
                "run it again when they are back"
            )

    def _batches(self, samples: Sequence[Sample], view_number: int) -> ViewBatches:
        batches = ViewBatches(
            samples,
            view_number,
            self._config.model.image_size,
            self._config.augment,
            self._config.seed,
            self._plan.batch_size,
            self._num_threads,
            current_team().share,
        )
        self._handed_out.append(batches)
        return batches
