"""What a training works with, and the features of its photos."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from catsdogs.config import Config
from catsdogs.console import Console, format_duration
from catsdogs.data.batches import num_decode_threads
from catsdogs.data.dataset import Dataset
from catsdogs.data.layout import TRAIN, VALIDATION
from catsdogs.data.samples import Sample
from catsdogs.data.skipping import drop_unreadable, warn_of_flat_photos
from catsdogs.text import counted
from catsdogs.training.cross_validation import OutOfFold
from catsdogs.training.features import CachedFeatures, View
from catsdogs.training.plan import TrainingPlan
from catsdogs.training.processes import ALONE, ProcessGroup
from catsdogs.training.supervision import Supervision


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
        units: what each photo belongs to and must not be split from, by a hash.
        class_names: in the order of the labels.
        weights: float `(n,)`, what each photo counts for in the loss; 1 on average.
    """

    features: np.ndarray
    labels: np.ndarray
    units: list[bytes]
    class_names: tuple[str, ...]
    weights: np.ndarray


class PhotoFeatures:
    """Features of the photos of a training: epoch e takes view (e - 1) mod `augment.views`.

    Args:
        features: where they come from.
        setup: photos and settings.

    Attributes:
        features: as above.
        num_frozen: photos and views that went through the frozen layers so far, to be kept.
        frozen_seconds: wall time of that.
        out_of_fold: what `answer_in_folds` gave, where a head was solved in folds.
    """

    def __init__(self, features: CachedFeatures, setup: TrainingSetup) -> None:
        self.features = features
        self._setup = setup
        self.num_frozen = 0
        self.frozen_seconds = 0.0
        self.out_of_fold: OutOfFold | None = None

    def _training_views(self, samples: Sequence[Sample], epoch: int) -> list[View]:
        number = (epoch - 1) % max(1, self._setup.config.augment.views)
        return [View(sample, number) for sample in samples]

    def _validation_views(self) -> list[View]:
        return [View(sample, 0) for sample in self._setup.dataset.splits[VALIDATION]]

    def prepare(self, epoch: int) -> None:
        """Compute what an epoch, from 1, needs and is not kept yet; 0: validation alone."""
        setup, processes = self._setup, self._setup.processes
        views = self._validation_views()
        if epoch:
            views += self._training_views(setup.dataset.splits[TRAIN], epoch)
        missing = sum(processes.exchange(self.features.count_missing(views)))
        if not missing:
            return
        with setup.console.task(
            "frozen layers", math.ceil(missing / processes.num_processes)
        ) as task:

            def on_computed(count: int) -> None:
                task.advance(count)
                setup.supervision.stop_if_asked()

            done = self.features.ensure(
                views,
                num_decode_threads(setup.config.data.decode_threads),
                on_computed,
            )
        if done.num_computed:
            setup.console.note(
                f"frozen layers: {counted(done.num_computed, 'photo')} in "
                f"{format_duration(done.seconds)} ({done.num_computed / done.seconds:.1f}/s), "
                f"{done.num_found:,} from the cache"
            )
        self.num_frozen += done.num_computed
        self.frozen_seconds += done.seconds
        warn_of_flat_photos(self.features.views, setup.console)
        setup.drop(done.failures)

    def photos(self, split: str) -> Photos:
        """The features of a split's photos as they are, once epoch 1 is prepared."""
        samples = self._setup.dataset.splits[split]
        return Photos(
            self.features.read([View(sample, 0) for sample in samples]),
            np.array([sample.label for sample in samples], int),
            [sample.unit for sample in samples],
            self._setup.dataset.class_names,
            np.array([sample.weight for sample in samples]),
        )
