"""Photos as Keras takes them while it trains: one view of each, decoded by its threads."""

import math
from collections.abc import Sequence

import keras
import numpy as np

from catsdogs.data.batches import WHOLE_BATCH, BatchPart, targets
from catsdogs.data.samples import Sample
from catsdogs.data.views import ViewReader
from catsdogs.errors import DataError


class ViewBatches(keras.utils.PyDataset):
    """Batches of one view of each photo, as `fit` and `evaluate` take them.

    Keras' threads call for batches ahead of the step; each batch is decoded and augmented
    by one of them. Item `i` is `(images, targets)`: uint8 `(n, height, width, 3)` RGB and
    what `targets` gives; the last batch may be short. A photo that cannot be read is left out of
    its batch: an error raised here would come out of Keras as a page of its own.

    Args:
        samples: photos in the order of training.
        view_number: which view of each; 0 is the photo itself.
        views: reads them.
        batch_size: photos in a batch.
        num_threads: batches in the making at once.
        part: the rows of each batch that are wanted.

    Attributes:
        lost: the photos that were left out, with the reason; one may stand here twice.
        is_any_empty: a batch had no photo left, and is one black image instead.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        view_number: int,
        views: ViewReader,
        batch_size: int,
        num_threads: int = 1,
        part: BatchPart = WHOLE_BATCH,
    ) -> None:
        super().__init__(workers=num_threads, max_queue_size=2 * num_threads)
        self._part = part
        self._samples = samples
        self._targets = targets(samples)
        self._view_number = view_number
        self._views = views
        self._batch_size = batch_size
        self.lost: list[tuple[Sample, str]] = []
        self.is_any_empty = False

    def __len__(self) -> int:
        return math.ceil(len(self._samples) / self._batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        start = index * self._batch_size
        chosen = self._samples[start : start + self._batch_size]
        rows, weights = self._part.rows(len(chosen))
        images, aimed_at = [], []
        for place, row in enumerate(rows):
            sample = chosen[row]
            try:
                images.append(self._views.read(sample, self._view_number))
                aimed_at.append(self._targets[start + row])
            except DataError as error:
                self.lost.append((sample, str(error)))
                if weights is not None:  # of which every process must have as many
                    weights[place] = 0
                    images.append(np.zeros((*self._views.size, 3), np.uint8))
                    aimed_at.append(self._targets[start + row])
        if not images:
            self.is_any_empty = True
            return np.zeros((1, *self._views.size, 3), np.uint8), self._targets[start : start + 1]
        batch = np.stack(images), np.stack(aimed_at)
        return batch if weights is None else (*batch, weights)
