"""Where the batches of each epoch come from: stored features, or photos streamed anew."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import keras
import numpy as np

from catsdogs.config import Config
from catsdogs.console import Console
from catsdogs.data.batches import decode_ahead, num_decode_threads, shuffled
from catsdogs.data.dataset import TRAIN, VALIDATION, Dataset, Sample
from catsdogs.data.skipping import drop_unreadable, warn_of_flat_photos
from catsdogs.data.views import ViewReader
from catsdogs.errors import DataError
from catsdogs.training.features import CachedFeatures, View
from catsdogs.training.fitting import Supervision
from catsdogs.training.history import TrainingPlan
from catsdogs.training.processes import ALONE, ProcessGroup
from catsdogs.training.view_batches import ViewBatches

VALIDATION_BATCH_SIZE = 32
"""Features in a step of validation."""


@dataclass(frozen=True)
class TrainingSetup:
    """What a training works with.

    Attributes:
        dataset: photos of `train` and `validation`; those that cannot be read are moved
            from its splits to its list of unreadable files.
        plan: how to train.
        config: views, cache, threads, seed.
        console: where progress is shown.
        supervision: where the training goes on, and who may end it.
        processes: those that train together.
    """

    dataset: Dataset
    plan: TrainingPlan
    config: Config
    console: Console
    supervision: Supervision = field(default_factory=Supervision)
    processes: ProcessGroup = ALONE

    @property
    def num_training(self) -> int:
        """Photos in an epoch."""
        return self.dataset.count(TRAIN)

    @property
    def num_validation(self) -> int:
        """Photos that it is validated with."""
        return self.dataset.count(VALIDATION)

    @property
    def samples(self) -> list[Sample]:
        """The photos of both splits, training first."""
        return [*self.dataset.splits[TRAIN], *self.dataset.splits[VALIDATION]]

    def drop(self, failures: Sequence[tuple[Sample, str]]) -> None:
        """Leave photos out from now on.

        Raises:
            DataError: more than `data.max_unreadable` are, or a class or a split has none left.
        """
        drop_unreadable(self.dataset, failures, self.config.data.max_unreadable)


@dataclass(frozen=True)
class Photos:
    """Features of photos, for what is solved and not trained in epochs.

    Attributes:
        features: float16 `(n, …)`.
        labels: int `(n,)`, indices of classes.
        contents: hash of each photo's content.
        class_names: in the order of the labels.
    """

    features: np.ndarray
    labels: np.ndarray
    contents: list[bytes]
    class_names: tuple[str, ...]


class FeatureEpochs:
    """Epochs on stored features: epoch e takes view (e - 1) mod `augment.views`.

    Args:
        tail: what is trained; takes features.
        features: where they come from.
        setup: photos and settings.
    """

    def __init__(self, tail: keras.Model, features: CachedFeatures, setup: TrainingSetup) -> None:
        self.model = tail
        self._features = features
        self._setup = setup
        self.num_frozen = 0
        self.frozen_seconds = 0.0

    @property
    def num_training(self) -> int:
        return self._setup.num_training

    @property
    def num_validation(self) -> int:
        return self._setup.num_validation

    def _training_views(self, samples: Sequence[Sample], epoch: int) -> list[View]:
        number = (epoch - 1) % max(1, self._setup.config.augment.views)
        return [View(sample, number) for sample in samples]

    def _validation_views(self) -> list[View]:
        return [View(sample, 0) for sample in self._setup.dataset.splits[VALIDATION]]

    def prepare(self, epoch: int) -> None:
        setup, processes = self._setup, self._setup.processes
        views = self._validation_views()
        if epoch:
            views += self._training_views(setup.dataset.splits[TRAIN], epoch)
        missing = sum(processes.exchange(self._features.count_missing(views)))
        if not missing:
            return
        with setup.console.task(
            "frozen layers", math.ceil(missing / processes.num_processes)
        ) as task:

            def on_computed(count: int) -> None:
                task.advance(count)
                setup.supervision.stop_if_asked()

            done = self._features.ensure(
                views,
                num_decode_threads(setup.config.data.decode_threads),
                on_computed,
            )
        setup.console.note(
            f"frozen layers: {done.num_computed:,} photos in {done.seconds:.1f} s "
            f"({done.num_computed / done.seconds:.1f}/s), {done.num_found:,} from the cache; "
            f"{self._features.engine_fingerprint}"
        )
        self.num_frozen += done.num_computed
        self.frozen_seconds += done.seconds
        warn_of_flat_photos(self._features.views, setup.console)
        setup.drop(done.failures)

    def photos(self, split: str) -> "Photos":
        """The features of a split's photos as they are, once epoch 1 is prepared."""
        samples = self._setup.dataset.splits[split]
        return Photos(
            self._features.read([View(sample, 0) for sample in samples]),
            np.array([sample.label for sample in samples], int),
            [sample.content_hash for sample in samples],
            self._setup.dataset.class_names,
        )

    def training_batches(self, epoch: int) -> keras.utils.PyDataset:
        samples = shuffled(self._setup.dataset.splits[TRAIN], self._setup.config.seed, epoch)
        return self._features.batches(
            self._training_views(samples, epoch), self._setup.plan.batch_size
        )

    def validation_batches(self) -> keras.utils.PyDataset:
        return self._features.batches(self._validation_views(), VALIDATION_BATCH_SIZE)


class StreamedEpochs:
    """Epochs on the photos themselves: epoch e takes view e of each, through all layers.

    A photo that gets lost meanwhile is left out of its batch, and of all later epochs.

    Args:
        model: what is trained; takes photos.
        setup: photos and settings.
    """

    num_frozen = 0
    frozen_seconds = 0.0

    def __init__(self, model: keras.Model, setup: TrainingSetup) -> None:
        self.model = model
        self._setup = setup
        self._num_threads = num_decode_threads(setup.config.data.decode_threads)
        self._checked = False
        self._handed_out: list[ViewBatches] = []

    @property
    def num_training(self) -> int:
        return self._setup.num_training

    @property
    def num_validation(self) -> int:
        return self._setup.num_validation

    def prepare(self, epoch: int) -> None:
        """Find the unreadable photos before the first epoch, and those lost since."""
        self.drop_lost()
        if self._checked:
            return
        processes = self._setup.processes
        mine = self._setup.samples[processes.process_id :: processes.num_processes]
        with self._setup.console.task("checking photos", len(mine)) as task:
            failures = self._of_all(dict(self._failures(mine, task.advance)))
        self._setup.drop(list(failures.items()))
        self._checked = True

    def _failures(
        self, samples: Sequence[Sample], advance: Callable[[int], None]
    ) -> list[tuple[Sample, str]]:
        views = ViewReader.of(self._setup.config)

        def read(position: int) -> np.ndarray:
            return views.read(samples[position], 0)

        failures = []
        for batch in decode_ahead(read, len(samples), VALIDATION_BATCH_SIZE, self._num_threads):
            failures += [(samples[position], reason) for position, reason in batch.failures]
            advance(len(batch.positions) + len(batch.failures))
            self._setup.supervision.stop_if_asked()
        warn_of_flat_photos(views, self._setup.console)
        return failures

    def _of_all(self, lost: dict[Sample, str]) -> dict[Sample, str]:
        """The photos that any process could not read: each knows of its own part."""
        samples = self._setup.samples
        mine = {str(index): lost[sample] for index, sample in enumerate(samples) if sample in lost}
        together: dict[Sample, str] = {}
        for others in self._setup.processes.exchange(mine):
            together |= {samples[int(index)]: reason for index, reason in others.items()}
        return together

    def training_batches(self, epoch: int) -> keras.utils.PyDataset:
        samples = shuffled(self._setup.dataset.splits[TRAIN], self._setup.config.seed, epoch)
        return self._batches(samples, epoch)

    def validation_batches(self) -> keras.utils.PyDataset:
        self.drop_lost()
        return self._batches(self._setup.dataset.splits[VALIDATION], 0)

    def drop_lost(self) -> None:
        """Leave out from now on what could not be read since it was checked.

        Raises:
            DataError: so much that the figures are worth nothing.
        """
        lost = {sample: reason for batches in self._handed_out for sample, reason in batches.lost}
        lost = self._of_all(lost)
        emptied = any(batches.is_any_empty for batches in self._handed_out)
        self._handed_out.clear()
        self._setup.drop(list(lost.items()))
        if emptied:
            path, reason = self._setup.dataset.unreadable[-1]
            raise DataError(
                f"the photos of a whole batch got lost, e.g. {path}: {reason}: "
                "run it again when they are back"
            )

    def _batches(self, samples: Sequence[Sample], view_number: int) -> ViewBatches:
        batches = ViewBatches(
            samples,
            view_number,
            ViewReader.of(self._setup.config),
            self._setup.plan.batch_size,
            self._num_threads,
            self._setup.processes.batch_part,
        )
        self._handed_out.append(batches)
        return batches
