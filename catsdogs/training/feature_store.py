"""Where the features of a trunk are kept while it trains: what every place does, and memory."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from catsdogs.errors import CatsdogsError


class StoreError(CatsdogsError):
    """Features cannot be kept: no space, no permission, or over the budget."""


class FeatureStore(Protocol):
    """Where features are kept: float16 arrays of one shape under keys of 32 bytes."""

    def missing(self, keys: Sequence[bytes]) -> set[bytes]:
        """Those keys that have no features yet."""

    def reserve(self, num_features: int, num_bytes: int) -> None:
        """Make room for some features of `num_bytes` each. Raises: StoreError."""

    def write(self, keys: Sequence[bytes], features: np.ndarray) -> None:
        """Keep float16 features `(n, …)`. Raises: StoreError."""

    def read(self, keys: Sequence[bytes], shape: tuple[int, ...]) -> np.ndarray:
        """Features of all keys: float16 `(n, *shape)`. Raises: StoreError."""


class MemoryStore:
    """Features in memory, for when there is no disk to keep them on."""

    def __init__(self, max_bytes: int = 2**30) -> None:
        self._max_bytes = max_bytes
        self._features: dict[bytes, np.ndarray] = {}

    def missing(self, keys: Sequence[bytes]) -> set[bytes]:
        return {key for key in keys if key not in self._features}

    def reserve(self, num_features: int, num_bytes: int) -> None:
        if (len(self._features) + num_features) * num_bytes > self._max_bytes:
            raise StoreError("the features do not fit into memory")

    def write(self, keys: Sequence[bytes], features: np.ndarray) -> None:
        self._features.update(zip(keys, features.copy(), strict=True))

    def read(self, keys: Sequence[bytes], shape: tuple[int, ...]) -> np.ndarray:
        return np.stack([self._features[key] for key in keys]).reshape(len(keys), *shape)
