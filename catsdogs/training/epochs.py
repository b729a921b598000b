"""Where the batches of each epoch come from: stored features, or photos streamed anew."""

from collections.abc import Callable, Sequence

import keras
import numpy as np

from catsdogs.data.batches import decode_ahead, num_decode_threads, shuffled
from catsdogs.data.layout import TRAIN, VALIDATION
from catsdogs.data.samples import Sample
from catsdogs.data.skipping import warn_of_flat_photos
from catsdogs.data.views import ViewReader
from catsdogs.errors import DataError
from catsdogs.training.features import CachedFeatures
from catsdogs.training.photo_features import PhotoFeatures, TrainingSetup
from catsdogs.training.view_batches import ViewBatches

VALIDATION_BATCH_SIZE = 32
"""Features in a step of validation."""


class FeatureEpochs(PhotoFeatures):
    """Epochs on stored features: epoch e takes view (e - 1) mod `augment.views`.

    Args:
        tail: what is trained; takes features.
        features: where they come from.
        setup: photos and settings.
    """

    def __init__(self, tail: keras.Model, features: CachedFeatures, setup: TrainingSetup) -> None:
        super().__init__(features, setup)
        self.model = tail

    @property
    def num_training(self) -> int:
        return self._setup.num_training

    @property
    def num_validation(self) -> int:
        return self._setup.num_validation

    def training_batches(self, epoch: int) -> keras.utils.PyDataset:
        samples = shuffled(self._setup.dataset.splits[TRAIN], self._setup.config.seed, epoch)
        return self.features.batches(
            self._training_views(samples, epoch), self._setup.plan.batch_size
        )

    def validation_batches(self) -> keras.utils.PyDataset:
        return self.features.batches(self._validation_views(), VALIDATION_BATCH_SIZE)


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
