"""Outputs of the frozen trunk: computed once for each photo and view, then read."""

import hashlib
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from catsdogs.data.batches import decode_ahead, targets
from catsdogs.data.samples import Sample
from catsdogs.data.views import ViewReader
from catsdogs.errors import DataError, DivergedError
from catsdogs.network.engines.engine import Engine, answer_batches
from catsdogs.network.precision import as_float16
from catsdogs.training.feature_exchange import complete_store, gather_found, raise_together
from catsdogs.training.feature_store import FeatureStore, StoreError
from catsdogs.training.processes import ALONE, ProcessGroup

if TYPE_CHECKING:  # ncnn's features need no Keras; what trains on batches of them does
    import keras

    from catsdogs.training.feature_batches import FeatureBatches


@dataclass(frozen=True)
class View:
    """One view of one photo. Attributes: the photo; which view, 0 is the photo itself."""

    sample: Sample
    number: int


def hash_weights(model: "keras.Model") -> str:
    """A hash (hex) of all weights of a model, in the order of its layers."""
    return hash_arrays(model.get_weights())


def hash_arrays(arrays: Iterable[np.ndarray]) -> str:
    """A hash (hex) of arrays: of their shapes and their numbers."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(str(array.shape).encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


@dataclass
class Extraction:
    """What a pass of the trunk did.

    Attributes:
        num_computed: photos that went through the trunk.
        num_found: photos whose features were there already.
        seconds: wall time of the pass.
        failures: photos that could not be read, with the reason.
    """

    num_computed: int
    num_found: int
    seconds: float
    failures: list[tuple[Sample, str]]


class CachedFeatures:
    """Features of any view of any photo: from the store, or through the trunk.

    Args:
        trunk: raw RGB to features, and as a second output to what is kept ahead, if anything.
        shape: of the features of one photo.
        store: where features are kept.
        views: reads and names them, in the size of the trunk's input.
        warn: told in a line where nothing more is kept ahead.
        ahead_store: where the second output is kept, for a later training from a lower
            boundary, as long as that can be written.
        processes: those that compute them together.
    """

    def __init__(
        self,
        trunk: Engine,
        shape: tuple[int, ...],
        store: FeatureStore,
        views: ViewReader,
        warn: Callable[[str], None] = lambda _: None,
        ahead_store: FeatureStore | None = None,
        processes: ProcessGroup = ALONE,
    ) -> None:
        self._processes = processes
        self._trunk = trunk
        self._store = store
        self._ahead_store = ahead_store
        self._warn = warn
        self.views = views
        self.shape = shape

    def keys(self, views: Iterable[View]) -> list[bytes]:
        """Names of the views' features in the store."""
        return [self.views.key(view.sample, view.number) for view in views]

    def count_missing(self, views: Sequence[View]) -> int:
        """How many of the views would have to be computed."""
        return len(self._store.missing(self.keys(views)))

    def ensure(
        self,
        views: Sequence[View],
        num_threads: int,
        on_computed: Callable[[int], None],
    ) -> Extraction:
        """Run the trunk over those views that are not in the store.

        Where several processes train together, each computes its part of the photos, and gets
        what its own store then lacks from one that has it: all of them call this with the same
        views, and all raise where one of them cannot keep its features.

        Args:
            views: what will be read from the store.
            num_threads: threads that decode ahead.
            on_computed: called with the number of photos done since the last call.

        Raises:
            StoreError: the features cannot be kept.
            OutOfMemoryError: the device's memory is too small for a single photo.
            DivergedError: the trunk gives numbers that are NaN or infinite.
        """
        processes, start = self._processes, time.perf_counter()
        copies = self._copies(views)
        keys = list(copies)
        found = gather_found(processes, self._store, keys)
        nowhere = [keys[index] for index in np.flatnonzero(~found.any(axis=0))]
        mine = {
            key: copies[key] for key in nowhere[processes.process_id :: processes.num_processes]
        }
        failed: dict[bytes, str] = {}
        problem = ""
        try:
            self._store.reserve(
                int((~found[processes.process_id]).sum()), 2 * math.prod(self.shape)
            )
            failed = self._compute(mine, num_threads, on_computed)
        except StoreError as error:
            problem = str(error)
        raise_together(processes, problem)
        for others in processes.exchange({key.hex(): reason for key, reason in failed.items()}):
            failed |= {bytes.fromhex(key): reason for key, reason in others.items()}
        complete_store(
            processes, self._store, [key for key in keys if key not in failed], self.shape
        )
        return Extraction(
            len(nowhere) - len(failed),
            len(keys) - len(nowhere),
            time.perf_counter() - start,
            self._failures(views, failed),
        )

    def _compute(
        self,
        wanted: Mapping[bytes, Sequence[View]],
        num_threads: int,
        on_computed: Callable[[int], None],
    ) -> dict[bytes, str]:
        """Run the trunk over views and keep the features; keys of failures, with the reason."""
        keys = list(wanted)
        if not keys:  # the trunk need not even be made
            return {}

        def read(position: int) -> np.ndarray:
            *others, last = wanted[keys[position]]
            for view in others:
                with suppress(DataError):  # another copy may still be there
                    return self._read(view)
            return self._read(last)

        failed: dict[bytes, str] = {}
        batches = decode_ahead(read, len(keys), self._trunk.batch_size, num_threads)
        for batch, outputs in answer_batches(self._trunk, batches):
            if outputs:
                computed = [keys[position] for position in batch.positions]
                self._check_finite(outputs, [wanted[key][0] for key in computed])
                self._store.write(computed, as_float16(outputs[0]))
                self._keep_ahead(computed, outputs[1:])
            failed |= {keys[position]: reason for position, reason in batch.failures}
            on_computed(len(batch.positions) + len(batch.failures))
        return failed

    def _check_finite(self, outputs: Sequence[np.ndarray], views: Sequence[View]) -> None:
        for output in outputs:
            finite = np.isfinite(output).reshape(len(output), -1).all(axis=1)  # (n,)
            if not finite.all():
                raise DivergedError(
                    f"the frozen layers answer {views[int(finite.argmin())].sample.path} with "
                    "numbers that are NaN or infinite: set precision to float32, or choose other "
                    "weights",
                    key="precision",
                )

    def _keep_ahead(self, keys: Sequence[bytes], outputs: Sequence[np.ndarray]) -> None:
        """Keep the second output; where that fails, the training goes on without."""
        if self._ahead_store is None:
            return
        try:
            self._ahead_store.write(keys, as_float16(outputs[0]))
        except StoreError as error:
            self._warn(f"feature store: {error}: fine-tuning will have to compute more")
            self._ahead_store = None

    def _copies(self, views: Sequence[View]) -> dict[bytes, list[View]]:
        """Views of one photo under one key: they are computed once."""
        copies: dict[bytes, list[View]] = {}
        for key, view in zip(self.keys(views), views, strict=True):
            copies.setdefault(key, []).append(view)
        return copies

    def _read(self, view: View) -> np.ndarray:
        return self.views.read(view.sample, view.number)

    def _failures(
        self, views: Sequence[View], failed: Mapping[bytes, str]
    ) -> list[tuple[Sample, str]]:
        keys = self.keys(views)
        return [
            (v.sample, failed[key]) for v, key in zip(views, keys, strict=True) if key in failed
        ]

    def read(self, views: Sequence[View]) -> np.ndarray:
        """Features of views that `ensure` has put into the store: float16 `(n, …)`."""
        return self._store.read(self.keys(views), self.shape)

    def batches(self, views: Sequence[View], batch_size: int) -> "FeatureBatches":
        """Batches of features that `ensure` has put into the store, in the order of `views`."""
        from catsdogs.training.feature_batches import FeatureBatches

        labels = targets([view.sample for view in views])
        part = self._processes.batch_part
        return FeatureBatches(self._store, self.keys(views), labels, self.shape, batch_size, part)
