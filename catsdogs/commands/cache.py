"""`catsdogs cache`: what the feature store holds."""

from dataclasses import dataclass

from catsdogs.config import CacheConfig
from catsdogs.text import counted
from catsdogs.training.cache_folder import (
    StoredTrunk,
    cache_dir,
    count_features,
    drop_store,
    list_stores,
)
from catsdogs.training.feature_store import StoreError


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
    """Delete all stored features; returns the number of bytes that are free again.

    Raises:
        StoreError: some could not be deleted.
    """
    folder = cache_dir(config)
    stores = list_stores(folder)
    for store in stores:
        drop_store(store.path)
    if left := list_stores(folder):
        raise StoreError(
            f"{left[0].path} cannot be deleted (of {counted(len(stores), 'trunk')}, "
            f"{len(left):,} left): its folder may not be written, or another program has it "
            "open"
        )
    return sum(store.num_bytes for store in stores)
