"""Photos to batches of pixels, decoded ahead of the network by threads."""

import itertools
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from catsdogs.data.samples import Sample
from catsdogs.errors import DataError
from catsdogs.systems import num_processors

Item = TypeVar("Item")

Read = Callable[[int], np.ndarray]
"""Position of a photo to its pixels, uint8 `(height, width, 3)`; raises DataError."""


@dataclass
class Batch(Generic[Item]):
    """Pixels of some photos.

    Attributes:
        images: uint8 `(n, height, width, 3)`, RGB, 0 to 255.
        positions: which photo each image is of: where it stands in the sequence that was asked
            for, ascending, or the item that was asked for.
        failures: those that could not be read since the last batch, with the reason.
    """

    images: np.ndarray
    positions: list[Item]
    failures: list[tuple[Item, str]] = field(default_factory=list)


def decode_ahead(
    read: Read, num_photos: int, batch_size: int, num_threads: int
) -> Iterator[Batch[int]]:
    """Read photos by their positions, 0 to `num_photos - 1`: `decode_each` on a range."""
    return decode_each(read, range(num_photos), batch_size, num_threads)


def decode_each(
    read: Callable[[Item], np.ndarray], items: Iterable[Item], batch_size: int, num_threads: int
) -> Iterator[Batch[Item]]:
    """Read photos in threads, two batches and more ahead of their consumer, in order.

    A photo that cannot be read takes no place in a batch and stops nothing. Memory stays
    the same however many photos there are.

    Args:
        read: turns an item into pixels, uint8 `(height, width, 3)`; called from threads;
            raises DataError.
        items: one for each photo, taken as they are needed.
        batch_size: images in each batch; the last one may be short, or empty where it only
            reports failures.
        num_threads: how many read at once.
    """
    source = iter(items)
    waiting: deque[tuple[Item, Future[np.ndarray]]] = deque()
    with ThreadPoolExecutor(num_threads, thread_name_prefix="decode") as pool:
        try:
            images: list[np.ndarray] = []
            positions: list[Item] = []
            failures: list[tuple[Item, str]] = []
            while True:
                ahead = itertools.islice(source, 3 * batch_size - len(waiting))
                waiting.extend((item, pool.submit(read, item)) for item in ahead)
                if not waiting:
                    break
                item, future = waiting.popleft()
                try:
                    images.append(future.result())
                    positions.append(item)
                except DataError as error:
                    failures.append((item, str(error)))
                if len(images) == batch_size:
                    yield Batch(np.stack(images), positions, failures)
                    images, positions, failures = [], [], []
            if images or failures:
                pixels = np.stack(images) if images else np.empty((0, 0, 0, 3), np.uint8)
                yield Batch(pixels, positions, failures)
        finally:
            for _, future in waiting:
                future.cancel()


def fill_batch(images: np.ndarray, batch_size: int) -> np.ndarray:
    """Fill a short batch up with its last image: another length would be compiled anew.

    Args:
        images: `(n, height, width, 3)`, n from 1 to `batch_size`.
        batch_size: images to return.
    """
    return images[np.minimum(np.arange(batch_size), len(images) - 1)]


def shuffled(samples: Sequence[Sample], seed: int, epoch: int) -> list[Sample]:
    """The samples in the order of an epoch, the same for the same seed and epoch."""
    order = np.random.default_rng([seed, epoch]).permutation(len(samples))
    return [samples[position] for position in order]


def targets(samples: Sequence[Sample]) -> np.ndarray:
    """What a training aims at: labels, and beside them what each photo counts for in the loss.

    Returns:
        int32 `(n,)`, indices of classes; where photos weigh differently, float32 `(n, 2)`, the
        index and the weight.
    """
    if all(sample.weight == 1 for sample in samples):
        return np.array([sample.label for sample in samples], np.int32)
    return np.array([(sample.label, sample.weight) for sample in samples], np.float32)


@dataclass(frozen=True)
class BatchPart:
    """The rows of each batch that one of several processes feeds to its devices.

    Every device gets as many rows as the others: a batch that does not divide among them is
    filled up with its last row, whose weight is zero.

    Attributes:
        process_id: which process this is, from 0.
        num_processes: how many there are.
        num_devices: of all of them.
    """

    process_id: int
    num_processes: int
    num_devices: int

    def rows(self, count: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Which rows of a batch of `count` are this process's, with their weights.

        Returns:
            int array `(n,)` of rows, and float32 `(n,)`, 1 or, where it fills up, 0; None in
            its place where there is one device and nothing to fill up.
        """
        if self.num_devices == 1:
            return np.arange(count), None
        size = math.ceil(count / self.num_devices) * self.num_devices // self.num_processes
        places = np.arange(size) + self.process_id * size
        return np.minimum(places, count - 1), (places < count).astype(np.float32)


WHOLE_BATCH = BatchPart(0, 1, 1)


def num_decode_threads(configured: int) -> int:
    """The configured number of threads, or, for 0, one for each processor core."""
    return configured or num_processors()
