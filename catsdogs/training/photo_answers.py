"""What a trained classifier gives for photos as they are: what is pooled of them, and answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from catsdogs.data.batches import decode_ahead, num_decode_threads
from catsdogs.data.samples import Sample
from catsdogs.data.views import ViewReader
from catsdogs.network.engines.engine import Engine, answer_batches
from catsdogs.training.cross_validation import OutOfFold
from catsdogs.training.features import CachedFeatures, View
from catsdogs.training.photo_features import TrainingSetup

_CHUNK = 32
"""Photos whose features are in memory at a time; of VGG16 below block5, 6 MB."""


@dataclass(frozen=True)
class PhotoAnswers:
    """What a classifier gives for some photos.

    Attributes:
        features: float32 `(n, features)`, what is pooled of each.
        probabilities: float32 `(n, classes)`.
        labels: int `(n,)`, indices of classes.
        weights: float `(n,)`, what each photo counts for in the loss.
    """

    features: np.ndarray
    probabilities: np.ndarray
    labels: np.ndarray
    weights: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


class TrainedClassifier(Protocol):
    """A classifier whose training has ended, with its photos at hand.

    Attributes:
        out_of_fold: answers for the photos to train on, where the head was solved in folds; None
            otherwise.
    """

    @property
    def out_of_fold(self) -> OutOfFold | None: ...

    def answers(self, split: str, most: int | None = None) -> PhotoAnswers:
        """Answer for the photos of a split, or for so many of them, evenly spread.

        Photos that are not at hand any more are left out.
        """


OnTrained = Callable[[TrainedClassifier], None]


@dataclass(frozen=True)
class TrainedOnFeatures:
    """A `TrainedClassifier` that answers from stored features.

    Attributes:
        features: as the training had them.
        setup: photos and settings.
        compute: takes features, float16 `(n, …)`; gives what is pooled, and probabilities.
        out_of_fold: as above.
    """

    features: CachedFeatures
    setup: TrainingSetup
    compute: Callable[[np.ndarray], Sequence[np.ndarray]]
    out_of_fold: OutOfFold | None = None

    def answers(self, split: str, most: int | None = None) -> PhotoAnswers:
        known = [
            sample
            for sample in _evenly_spread(self.setup.dataset.splits[split], most)
            if not self.features.count_missing([View(sample, 0)])
        ]
        chunks = [known[start : start + _CHUNK] for start in range(0, len(known), _CHUNK)]
        rows = [
            self.compute(self.features.read([View(sample, 0) for sample in chunk]))
            for chunk in chunks
        ]
        return _together(rows, known)


@dataclass(frozen=True)
class TrainedOnPhotos:
    """A `TrainedClassifier` that answers from photos.

    Attributes:
        setup: photos and settings.
        engine: from photos to what is pooled, and to probabilities.
    """

    setup: TrainingSetup
    engine: Engine
    out_of_fold: None = None

    def answers(self, split: str, most: int | None = None) -> PhotoAnswers:
        config = self.setup.config
        samples = _evenly_spread(self.setup.dataset.splits[split], most)
        views = ViewReader.of(config)
        batches = decode_ahead(
            lambda position: views.read(samples[position], 0),
            len(samples),
            self.engine.batch_size,
            num_decode_threads(config.data.decode_threads),
        )
        rows, known = [], []
        for batch, outputs in answer_batches(self.engine, batches):
            if outputs:
                rows.append(outputs)
                known += [samples[position] for position in batch.positions]
        return _together(rows, known)


def _evenly_spread(samples: Sequence[Sample], most: int | None) -> list[Sample]:
    """So many photos at most, as far from each other in their order as it goes."""
    if most is None or len(samples) <= most:
        return list(samples)
    return [samples[index] for index in np.linspace(0, len(samples) - 1, most).round().astype(int)]


def _together(rows: Sequence[Sequence[np.ndarray]], samples: Sequence[Sample]) -> PhotoAnswers:
    labels = np.array([sample.label for sample in samples], int)
    weights = np.array([sample.weight for sample in samples])
    if not rows:
        nothing = np.empty((0, 0), np.float32)
        return PhotoAnswers(nothing, nothing, labels, weights)
    pooled, probabilities = (np.concatenate(parts) for parts in zip(*rows, strict=True))
    return PhotoAnswers(
        pooled.reshape(len(pooled), -1).astype(np.float32),
        probabilities.astype(np.float32),
        labels,
        weights,
    )
