"""Stored features as Keras takes them while it trains."""

import math
from collections.abc import Sequence

import keras
import numpy as np

from catsdogs.data.batches import WHOLE_BATCH, BatchPart
from catsdogs.training.feature_store import FeatureStore


class FeatureBatches(keras.utils.PyDataset):
    """Features and labels as `fit` and `evaluate` take them, streamed from a store.

    Item `i` is `(features, targets)`: float16 `(n, …)` and what `targets` gives for all photos, and
    weights float32 `(n,)` where batches are spread over devices.
    """

    def __init__(
        self,
        store: FeatureStore,
        keys: Sequence[bytes],
        targets: np.ndarray,
        shape: tuple[int, ...],
        batch_size: int,
        part: BatchPart = WHOLE_BATCH,
    ) -> None:
        super().__init__()
        self._part = part
        self._store = store
        self._keys = keys
        self._targets = targets
        self._shape = shape
        self._batch_size = batch_size

    def __len__(self) -> int:
        return math.ceil(len(self._keys) / self._batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        start = index * self._batch_size
        keys = self._keys[start : start + self._batch_size]
        rows, weights = self._part.rows(len(keys))
        features = self._store.read([keys[row] for row in rows], self._shape)
        batch = features, self._targets[start + rows]
        return batch if weights is None else (*batch, weights)
