"""Features between the stores of several processes, so that each has all of them."""

import math
from collections.abc import Sequence

import numpy as np

from catsdogs.training.feature_store import FeatureStore, StoreError
from catsdogs.training.processes import ProcessGroup

_ROUND_BYTES = 2**24
"""What each process gives in a round: every process holds that of all in memory."""


def gather_found(processes: ProcessGroup, store: FeatureStore, keys: Sequence[bytes]) -> np.ndarray:
    """Which process has which features: bool `(processes, keys)`."""
    missing = store.missing(keys)
    return processes.gather(np.array([key not in missing for key in keys], bool))


def raise_together(processes: ProcessGroup, problem: str) -> None:
    """Go on only where no process has a problem.

    Raises:
        StoreError: one of them has; raised in every process.
    """
    for index, other in enumerate(processes.exchange(problem)):
        if other:
            raise StoreError(
                f"process {index}: {other}" if index != processes.process_id else other
            )


def complete_store(
    processes: ProcessGroup, store: FeatureStore, keys: Sequence[bytes], shape: tuple[int, ...]
) -> None:
    """Give each process the features that its own store lacks.

    Processes that share a store, on one machine or in one folder, send each other nothing.

    Args:
        processes: all of them call this, with the same keys.
        store: this process's.
        keys: names of features that at least one process has.
        shape: of one feature.

    Raises:
        StoreError: a process cannot keep them.
    """
    if processes.num_processes == 1:
        return
    found = gather_found(processes, store, keys)
    givers = found.argmax(axis=0)  # the first process that has it
    lacking = ~found.all(axis=0)
    given = [
        np.flatnonzero(lacking & (givers == index)) for index in range(processes.num_processes)
    ]
    size = max(1, _ROUND_BYTES // (2 * math.prod(shape)))
    problem = ""
    for start in range(0, max(map(len, given)), size):
        mine = [keys[index] for index in given[processes.process_id][start : start + size]]
        sent = np.zeros((size, *shape), np.float16)
        try:
            if mine:
                sent[: len(mine)] = store.read(mine, shape)
        except StoreError as error:
            problem = str(error)
        # as integers: a sum over processes would not keep every float16
        received = processes.gather(sent.view(np.uint16)).view(np.float16)
        for index, row in enumerate(received):
            chosen = given[index][start : start + size]
            wanted = [n for n, key in enumerate(chosen) if not found[processes.process_id, key]]
            if wanted and not problem:
                try:
                    store.write([keys[chosen[n]] for n in wanted], row[wanted])
                except StoreError as error:
                    problem = str(error)
    raise_together(processes, problem)
