"""How many threads decode photos. Apart from the batches, which import Keras."""

import os


def num_decode_threads(configured: int) -> int:
    """The configured number of threads, or, for 0, one for each processor core."""
    if configured:
        return configured
    if hasattr(os, "sched_getaffinity"):  # what a container or a scheduler left of the machine
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
