"""`catsdogs cache`: what the feature store holds."""

from dataclasses import dataclass

from catsdogs.config import CacheConfig
from catsdogs.training.cache_folder import (
    StoredTrunk,
    cache_dir,
    count_features,
    drop_store,
    list_stores,
)


@dataclass(frozen=True)
class CacheEntry:
    """The features of one trunk, and how many they are; None where they are damaged."""

    store: StoredTrunk
    num_features: int | None


def cache(config: CacheConfig) -> list[CacheEntry]:
    """All stored trunks, the last used first."""
    stores = sorted(list_stores(cache_dir(config)), key=lambda store: -store.last_used)
    return [CacheEntry(store, count_features(store.path)) for store in stores]


def clear(config: CacheConfig) -> int:
    """Delete all stored features; returns the number of bytes that are free again."""
    stores = list_stores(cache_dir(config))
    for store in stores:
        drop_store(store.path)
    return sum(store.num_bytes for store in stores)
