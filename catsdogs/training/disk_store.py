"""Features on disk, in LMDB: within a budget, whole after a kill, and safe from who cuts files."""

import json
import math
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import lmdb
import numpy as np

from catsdogs.systems import read_at
from catsdogs.text import counted
from catsdogs.training.cache_folder import (
    CARD_NAME,
    DATABASE_NAME,
    LOCK_NAME,
    TrunkCard,
    bytes_needed,
    drop_store,
    list_stores,
    reason_of_failure,
)
from catsdogs.training.feature_store import StoreError
from catsdogs.untrusted.boundary import foreign_bytes, open_regular
from catsdogs.untrusted.lmdb_file import Place, check_lmdb, find_value, newest_transaction

_CHECKSUM_BYTES = 4
_MOST_CHANGES = 20
"""Of the file by other processes while one value is looked up."""

_FLOAT16_EXPONENT = 0x7C00


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
            for name in (DATABASE_NAME, LOCK_NAME, CARD_NAME):
                path = self._dir / name
                if not os.path.lexists(path):
                    continue
                with foreign_bytes(path, StoreError):
                    if name == DATABASE_NAME:
                        check_lmdb(path)
                    else:
                        open_regular(path).close()
        except StoreError as error:
            self._warn(f"feature store: {error}: its features are computed anew")
            drop_store(self._dir)

    def _open(self) -> None:
        try:
            self._dir.mkdir(parents=True, exist_ok=True)
            (self._dir / CARD_NAME).write_text(
                json.dumps(asdict(self._card)), "utf-8"
            )  # and its time
            self._env = lmdb.open(
                str(self._dir), map_size=self._max_bytes, max_readers=1024, meminit=False
            )
            self._env.reader_check()  # killed readers hold on to old pages until then
            self._files = [(self._dir / n).open("r+b") for n in (DATABASE_NAME, LOCK_NAME)]
            self._sizes = self._sizes_now()
            self._was_cut = False
        except (OSError, lmdb.Error) as error:
            raise StoreError(f"{self._dir} cannot be used ({reason_of_failure(error)})") from None

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
            raise StoreError(
                f"{self._dir} cannot be written ({reason_of_failure(error)})"
            ) from None
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
            with foreign_bytes(self._dir / DATABASE_NAME, StoreError):
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
        needed = bytes_needed(num_features, num_bytes)
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
