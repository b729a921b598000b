"""What every engine gives, and the pass of many batches through one."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Protocol

import numpy as np

from catsdogs.data.batches import Batch, Item


class Engine(Protocol):
    """Runs one network, photos to one or more arrays.

    Attributes:
        name: as in the configuration.
        batch_size: how many photos it likes to be given at a time.
        fingerprint: of what its numbers depend on besides the network: two engines that have
            the same give the same, those that differ may differ.
    """

    @property
    def name(self) -> str: ...

    @property
    def batch_size(self) -> int: ...

    @property
    def fingerprint(self) -> str: ...

    def outputs(self, images: np.ndarray) -> list[np.ndarray]:
        """Compute one or more photos.

        Args:
            images: uint8 `(n, height, width, 3)`, RGB, 0 to 255.

        Returns:
            One array `(n, …)` for each of the network's outputs.

        Raises:
            OutOfMemoryError: the device's memory is too small for a single photo.
        """


class LazyEngine:
    """An engine that is made when it is first asked: where nothing is, it need not be.

    See `Engine`.

    Args:
        name: of the engine.
        fingerprint: likewise.
        make: makes it.
    """

    def __init__(self, name: str, fingerprint: str, make: Callable[[], Engine]) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self._make = make

    @cached_property
    def _engine(self) -> Engine:
        return self._make()

    @property
    def batch_size(self) -> int:
        return self._engine.batch_size

    def outputs(self, images: np.ndarray) -> list[np.ndarray]:
        return self._engine.outputs(images)


def answer_batches(
    engine: Engine, batches: Iterable[Batch[Item]]
) -> Iterator[tuple[Batch[Item], list[np.ndarray]]]:
    """Each batch with the network's outputs for it; none of them where it has no photos.

    While the caller deals with one batch, the engine computes the next.

    Raises:
        OutOfMemoryError: the device's memory is too small for a single photo.
    """

    def ask(images: np.ndarray) -> list[np.ndarray]:
        return engine.outputs(images) if len(images) else []

    with ThreadPoolExecutor(1, thread_name_prefix="engine") as pool:
        waiting = None
        for batch in batches:
            future = pool.submit(ask, batch.images)
            if waiting is not None:
                yield waiting[0], waiting[1].result()
            waiting = batch, future
        if waiting is not None:
            yield waiting[0], waiting[1].result()
