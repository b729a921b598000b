"""Where the features of a trunk are kept: LMDB on disk within a budget, or memory."""

import hashlib
import json
import math
import os
import shutil
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import lmdb
import numpy as np
import platformdirs
from pydantic import TypeAdapter

from catsdogs.config import CacheConfig
from catsdogs.errors import CatsdogsError
from catsdogs.files import is_dir
from catsdogs.systems import bytes_on_disk, is_open_elsewhere, read_at
from catsdogs.text import counted
from catsdogs.untrusted.boundary import foreign_bytes, open_regular, read_bytes
from catsdogs.untrusted.lmdb_file import Place, check_lmdb, find_value, newest_transaction

_CONTENTS_VERSION = 2
"""Raised whenever the same file gives other pixels, or a feature is kept in another way, so that
no old feature is used for them."""

_CHECKSUM_BYTES = 4
_MOST_CHANGES = 20
"""Of the file by other processes while one value is looked up."""

_FLOAT16_EXPONENT = 0x7C00
_DATABASE_NAME, _LOCK_NAME = "data.mdb", "lock.mdb"  # LMDB's own names
_CARD_NAME = "trunk.json"
_ENTRY_OVERHEAD = 1.1
"""LMDB's pages and tree around the values; measured: 1.02 for 200 KB values, 1.06 for 1 KB."""


class StoreError(CatsdogsError):
    """Features cannot be kept: no space, no permission, or over the budget."""


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


class DiskStore:
    """The features of one trunk in LMDB: whole after a kill, open to several processes.

    Each trunk has a folder of its own below the cache folder. Beyond the byte budget, the
    trunks that have not been used for the longest time are dropped; where that is not
    enough, the features of this one.
    """

    def __init__(
        self,
        cache_dir: Path,
        card: TrunkCard,
        max_bytes: int,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Open or make a trunk's store.

        Args:
            cache_dir: the folder of all stores.
            card: what the trunk is.
            max_bytes: the budget of all stores.
            warn: told in a line what is damaged, and computed anew for that.

        Raises:
            StoreError: the folder cannot be made, written or locked.
        """
        self._cache_dir = cache_dir
        self._dir = cache_dir / card.fingerprint
        self._card = card
        self._max_bytes = max_bytes
        self._warn = warn
        self._places: dict[bytes, tuple[Place, bytes]] = {}
        """Of values that were sound, with their checksums."""
        self._damaged: set[bytes] = set()
        self._drop_if_damaged()
        self._open()

    def _drop_if_damaged(self) -> None:
        """Begin anew where LMDB could not, or must not, open what is there."""
        try:
            for name in (_DATABASE_NAME, _LOCK_NAME, _CARD_NAME):
                path = self._dir / name
                if not os.path.lexists(path):
                    continue
                with foreign_bytes(path, StoreError):
                    if name == _DATABASE_NAME:
                        check_lmdb(path)
                    else:
                        open_regular(path).close()
        except StoreError as error:
            self._warn(f"feature store: {error}: its features are computed anew")
            drop_store(self._dir)

    def _open(self) -> None:
        try:
            self._dir.mkdir(parents=True, exist_ok=True)
            (self._dir / _CARD_NAME).write_text(
                json.dumps(asdict(self._card)), "utf-8"
            )  # and its time
            self._env = lmdb.open(
                str(self._dir), map_size=self._max_bytes, max_readers=1024, meminit=False
            )
            self._env.reader_check()  # killed readers hold on to old pages until then
            self._files = [(self._dir / n).open("r+b") for n in (_DATABASE_NAME, _LOCK_NAME)]
            self._sizes = self._sizes_now()
            self._was_cut = False
        except (OSError, lmdb.Error) as error:
            raise StoreError(f"{self._dir} cannot be used ({_reason(error)})") from None

    def _sizes_now(self) -> list[int]:
        return [os.fstat(file.fileno()).st_size for file in self._files]

    def _make_up_length(self) -> bool:
        """Fill up with zeros what another program has cut off; whether it has.

        The files stay mapped into memory until they are closed, and LMDB looks into the lock
        even then. What is lost is found the next time that the store is opened.
        """
        is_cut = False
        for file, size in zip(self._files, self._sizes, strict=True):
            if os.fstat(file.fileno()).st_size < size:
                is_cut = True
                os.truncate(file.fileno(), size)
        return is_cut

    def _refuse_cut(self) -> None:
        self._was_cut = self._make_up_length() or self._was_cut
        if self._was_cut:
            raise StoreError(f"{self._dir} was cut by another program")

    @contextmanager
    def _writing(self) -> Iterator[lmdb.Transaction]:
        """Write to the files, as long as they are as long as they were.

        LMDB maps them into memory, where reading beyond their end would end the process.

        Raises:
            StoreError: that failed, or another program has cut them.
        """
        self._refuse_cut()
        try:
            with self._env.begin(write=True, buffers=True) as transaction:
                yield transaction
        except lmdb.Error as error:
            raise StoreError(f"{self._dir} cannot be written ({_reason(error)})") from None
        self._sizes = self._sizes_now()

    def _value(self, key: bytes) -> bytes | None:
        """What is kept under a key, sound or not; None where there is nothing.

        It is read, not looked up in LMDB's map: another program may cut the file at any moment.

        Raises:
            StoreError: the file is damaged.
        """
        file = self._files[0].fileno()
        if known := self._places.get(key):
            place, checksum = known
            value = read_at(file, place.num_bytes, place.start)
            if len(value) == place.num_bytes and value[-_CHECKSUM_BYTES:] == checksum:
                return value
            del self._places[key]  # another process has used the page for something else
        for _ in range(_MOST_CHANGES):
            with foreign_bytes(self._dir / _DATABASE_NAME, StoreError):
                found, transaction = find_value(file, key)
                value = read_at(file, found.num_bytes, found.start) if found else b""
                if found and _is_sound(value):
                    self._places[key] = found, value[-_CHECKSUM_BYTES:]
                    return value
                if newest_transaction(file) == transaction:
                    return value if found else None
        raise StoreError(f"{self._dir} is written to without a pause")

    def close(self) -> None:
        """Let go of the files."""
        self._make_up_length()
        self._env.close()
        for file in self._files:
            file.close()

    def missing(self, keys: Sequence[bytes]) -> set[bytes]:
        self._refuse_cut()
        missing, damaged = set(), set()
        for key in keys:
            if key not in self._places:
                value = self._value(key)
                if value is None:
                    missing.add(key)
                elif key not in self._places:
                    damaged.add(key)
        if damaged - self._damaged:
            self._warn(
                f"feature store: {counted(len(damaged - self._damaged), 'feature')} in "
                f"{self._dir} are damaged and computed anew"
            )
        self._damaged |= damaged
        return missing | damaged

    def reserve(self, num_features: int, num_bytes: int) -> None:
        needed = _needed(num_features, num_bytes)
        if needed > self._max_bytes:
            raise StoreError(
                f"{needed / 2**30:.3g} GiB of features are more than cache.max_gib = "
                f"{self._max_bytes / 2**30:.3g} allows"
            )
        stores = sorted(list_stores(self._cache_dir), key=lambda store: store.last_used)
        excess = sum(store.num_bytes for store in stores) + needed - self._max_bytes
        for store in stores:
            if excess <= 0:
                return
            if store.path != self._dir:
                drop_store(store.path)
                excess -= store.num_bytes
        if excess > 0:
            self.close()
            drop_store(self._dir)
            self._places.clear()
            self._open()

    def write(self, keys: Sequence[bytes], features: np.ndarray) -> None:
        with self._writing() as transaction:
            for key, feature in zip(keys, features, strict=True):
                content = feature.tobytes()
                value = content + zlib.crc32(content).to_bytes(_CHECKSUM_BYTES, "little")
                transaction.put(key, value, overwrite=key in self._damaged)
                self._places.pop(key, None)
        self._damaged.difference_update(keys)

    def read(self, keys: Sequence[bytes], shape: tuple[int, ...]) -> np.ndarray:
        features = np.empty((len(keys), *shape), np.float16)
        num_bytes = 2 * math.prod(shape)
        self._refuse_cut()
        for index, key in enumerate(keys):
            value = self._value(key)
            if value is None:
                raise StoreError(f"{self._dir} was emptied by another process")
            if key not in self._places:
                raise StoreError(f"{self._dir} holds damaged features")
            if len(value) != num_bytes + _CHECKSUM_BYTES:
                raise StoreError(f"{self._dir} holds features of another shape")
            features[index] = np.frombuffer(value, np.float16, num_bytes // 2).reshape(shape)
        return features


def _is_sound(value: bytes | memoryview) -> bool:
    """Whether a feature is what was written, by the checksum behind it, and all of it numbers."""
    content, checksum = value[:-_CHECKSUM_BYTES], value[-_CHECKSUM_BYTES:]
    if not content or len(content) % 2 or zlib.crc32(content) != int.from_bytes(checksum, "little"):
        return False
    bits = np.frombuffer(content, np.uint16)
    return not ((bits & _FLOAT16_EXPONENT) == _FLOAT16_EXPONENT).any()  # NaN and infinities


def has_room(folder: Path, max_bytes: int, num_features: int, num_bytes: int) -> bool:
    """Whether features of `num_bytes` each fit in without a need, and with half of the free disk.

    Args:
        folder: of all stores; it exists.
        max_bytes: the budget of all stores: none would be dropped.
    """
    needed = _needed(num_features, num_bytes)
    kept = sum(store.num_bytes for store in list_stores(folder))
    return kept + needed <= max_bytes and needed <= shutil.disk_usage(folder).free / 2


def _needed(num_features: int, num_bytes: int) -> int:
    """Bytes on disk that features of `num_bytes` each take at most."""
    return math.ceil(num_features * num_bytes * _ENTRY_OVERHEAD) + 2**20


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
            f"{folder} cannot be read ({_reason(error)}): choose another", "cache.dir"
        ) from None
    return [store for store in described if store]


def _describe(path: Path) -> StoredTrunk | None:
    """What a folder holds; None where it is no store, or has gone."""
    card_path, database = path / _CARD_NAME, path / _DATABASE_NAME
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
    if not os.path.lexists(path / _DATABASE_NAME):
        return 0
    count = None
    with suppress(StoreError), foreign_bytes(path, StoreError):
        check_lmdb(path / _DATABASE_NAME)
        with lmdb.open(str(path), readonly=True, lock=False) as env:
            count = env.stat()["entries"]
    return count


def drop_store(path: Path) -> None:
    """Delete a store. A process that has it open goes on with what it has. Windows leaves it alone.

    There a file that is open cannot be deleted, and is of no use without the others.
    """
    try:
        (path / _DATABASE_NAME).unlink()
    except OSError as error:
        if is_open_elsewhere(error):
            return
    shutil.rmtree(path, ignore_errors=True)


def _reason(error: Exception) -> str:
    """The last part of LMDB's and the system's messages, which repeat the path."""
    strerror = getattr(error, "strerror", None)
    reason = (strerror or str(error).rpartition(": ")[2] or type(error).__name__).lower()
    # LMDB calls a write that fell short by this name, which is what a full disk makes of it
    return "the disk is full, or fails" if reason == "input/output error" else reason
