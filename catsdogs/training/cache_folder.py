"""The folder in which each trunk has a store of its features: what lies there, and dropping it."""

import hashlib
import json
import math
import os
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import lmdb
import platformdirs
from pydantic import TypeAdapter

from catsdogs.config import CacheConfig
from catsdogs.files import is_dir
from catsdogs.systems import bytes_on_disk, is_open_elsewhere
from catsdogs.training.feature_store import StoreError
from catsdogs.untrusted.boundary import foreign_bytes, read_bytes
from catsdogs.untrusted.lmdb_file import check_lmdb

_CONTENTS_VERSION = 2
"""Raised whenever the same file gives other pixels, or a feature is kept in another way, so that
no old feature is used for them."""

DATABASE_NAME, LOCK_NAME = "data.mdb", "lock.mdb"  # LMDB's own names
CARD_NAME = "trunk.json"
_ENTRY_OVERHEAD = 1.1
"""LMDB's pages and tree around the values; measured: 1.02 for 200 KB values, 1.06 for 1 KB."""


@dataclass(frozen=True)
class TrunkCard:
    """What a trunk is, for people and for telling trunks apart.

    Attributes:
        backbone: its name.
        boundary: name of the trunk's last layer.
        pooling: how it pools, where the boundary lies after the pooling; else empty.
        image_size: height and width in pixels.
        engine: what computes it, as its fingerprint says.
        precision: what it computes in.
        weights: hash of all its weights.
        fit: how photos are brought to that size.
    """

    backbone: str
    boundary: str
    pooling: str
    image_size: tuple[int, int]
    engine: str
    precision: str
    weights: str
    fit: str = "stretch"

    @property
    def fingerprint(self) -> str:
        """Name of the trunk's store: differs wherever its outputs may differ."""
        described = json.dumps([_CONTENTS_VERSION, asdict(self)], sort_keys=True)
        return hashlib.sha256(described.encode()).hexdigest()[:32]


_CARDS = TypeAdapter(TrunkCard)
_MOST_CARD_BYTES = 2**16


@dataclass(frozen=True)
class StoredTrunk:
    """A store in the cache folder.

    Attributes:
        path: its folder.
        card: what the trunk is; None where the card is missing or damaged.
        num_bytes: its size on disk.
        last_used: when it was last opened, seconds since 1970.
    """

    path: Path
    card: TrunkCard | None
    num_bytes: int
    last_used: float


def cache_dir(config: CacheConfig) -> Path:
    """The folder of all feature stores.

    Raises:
        StoreError: the user has no home folder to keep them in.
    """
    try:
        folder = config.dir or platformdirs.user_cache_dir("catsdogs")
    except RuntimeError:
        raise StoreError(
            "no home folder to keep features in: set HOME or XDG_CACHE_HOME, or give a folder",
            "cache.dir",
        ) from None
    return Path(folder, "features")


def list_stores(folder: Path) -> list[StoredTrunk]:
    """All stores below the cache folder; an empty list where there is no such folder.

    Other processes may make and drop stores meanwhile.

    Raises:
        StoreError: the folder cannot be looked at.
    """
    if not is_dir(folder):
        return []
    try:
        described = [_describe(path) for path in sorted(folder.iterdir())]
    except OSError as error:
        raise StoreError(
            f"{folder} cannot be read ({reason_of_failure(error)}): choose another", "cache.dir"
        ) from None
    return [store for store in described if store]


def _describe(path: Path) -> StoredTrunk | None:
    """What a folder holds; None where it is no store, or has gone."""
    card_path, database = path / CARD_NAME, path / DATABASE_NAME
    try:
        last_used = card_path.lstat().st_mtime
    except OSError:
        return None
    card = None
    with suppress(StoreError), foreign_bytes(card_path, StoreError):
        card = _CARDS.validate_json(read_bytes(card_path, _MOST_CARD_BYTES))
    try:
        num_bytes = bytes_on_disk(database.lstat())
    except OSError:  # nothing is kept yet, or it has gone
        num_bytes = 0
    return StoredTrunk(path, card, num_bytes, last_used)


def count_features(path: Path) -> int | None:
    """Photos and views that a store holds; None where it is damaged."""
    if not os.path.lexists(path / DATABASE_NAME):
        return 0
    count = None
    with suppress(StoreError), foreign_bytes(path, StoreError):
        check_lmdb(path / DATABASE_NAME)
        with lmdb.open(str(path), readonly=True, lock=False) as env:
            count = env.stat()["entries"]
    return count


def drop_store(path: Path) -> None:
    """Delete a store. A process that has it open goes on with what it has. Windows leaves it alone.

    There a file that is open cannot be deleted, and is of no use without the others.
    """
    try:
        (path / DATABASE_NAME).unlink()
    except OSError as error:
        if is_open_elsewhere(error):
            return
    shutil.rmtree(path, ignore_errors=True)


def reason_of_failure(error: Exception) -> str:
    """The last part of LMDB's and the system's messages, which repeat the path."""
    strerror = getattr(error, "strerror", None)
    reason = (strerror or str(error).rpartition(": ")[2] or type(error).__name__).lower()
    # LMDB calls a write that fell short by this name, which is what a full disk makes of it
    return "the disk is full, or fails" if reason == "input/output error" else reason


def has_room(folder: Path, max_bytes: int, num_features: int, num_bytes: int) -> bool:
    """Whether features of `num_bytes` each fit in without a need, and with half of the free disk.

    Args:
        folder: of all stores; it exists.
        max_bytes: the budget of all stores: none would be dropped.
    """
    needed = bytes_needed(num_features, num_bytes)
    kept = sum(store.num_bytes for store in list_stores(folder))
    return kept + needed <= max_bytes and needed <= shutil.disk_usage(folder).free / 2


def bytes_needed(num_features: int, num_bytes: int) -> int:
    """Bytes on disk that features of `num_bytes` each take at most."""
    return math.ceil(num_features * num_bytes * _ENTRY_OVERHEAD) + 2**20
