import os
import threading
import zlib

import lmdb
import numpy as np
import pytest

from catsdogs.config import CacheConfig
from catsdogs.training.cache_folder import (
    TrunkCard,
    cache_dir,
    count_features,
    drop_store,
    list_stores,
)
from catsdogs.training.disk_store import DiskStore
from catsdogs.training.feature_store import MemoryStore, StoreError

SHAPE = (4, 4, 2)
MIB = 2**20


def card(weights="a", **changes):
    facts = {"backbone": "tiny", "boundary": "pool", "pooling": "", "engine": "keras"}
    facts["precision"] = "float32"
    return TrunkCard(**{**facts, "image_size": (8, 8), **changes}, weights=weights)


def keys_of(numbers):
    return [number.to_bytes(32, "big") for number in numbers]


def test_what_is_written_is_read_in_the_order_asked_for(store):
    features = np.arange(5 * 32, dtype=np.float16).reshape(5, *SHAPE)
    store.write(keys_of(range(5)), features)
    np.testing.assert_array_equal(store.read(keys_of([3, 0, 3]), SHAPE), features[[3, 0, 3]])
    assert store.missing(keys_of([1, 9])) == set(keys_of([9]))


def test_every_fact_about_a_trunk_changes_its_fingerprint():
    cards = [
        card(),
        card(weights="b"),
        card(backbone="other"),
        card(boundary="other"),
        card(pooling="max"),
        card(image_size=(8, 9)),
        card(precision="bfloat16"),
        card(fit="crop"),
    ]
    assert len({c.fingerprint for c in cards}) == len(cards)


def test_store_is_still_there_in_the_next_run(tmp_path):
    features = np.ones((3, *SHAPE), np.float16)
    first = DiskStore(tmp_path, card(), 64 * MIB)
    first.write(keys_of(range(3)), features)
    first.close()
    second = DiskStore(tmp_path, card(), 64 * MIB)
    assert second.missing(keys_of(range(4))) == set(keys_of([3]))
    second.close()
    (stored,) = list_stores(tmp_path)
    assert stored.card == card()
    assert count_features(stored.path) == 3
    assert stored.num_bytes > 0


def test_several_threads_read_while_one_writes(tmp_path):
    store = DiskStore(tmp_path, card(), 64 * MIB)
    store.write(keys_of([0]), np.ones((1, *SHAPE), np.float16))
    wrong = []

    def read():
        for _ in range(50):
            wrong.extend(store.read(keys_of([0]), SHAPE).ravel() != 1)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(1, 50):
        store.write(keys_of([number]), np.full((1, *SHAPE), number, np.float16))
    for thread in threads:
        thread.join()
    store.close()
    assert not any(wrong)


def fill(folder, a_card, num_features, max_mib):
    store = DiskStore(folder, a_card, max_mib * MIB)
    shape = (MIB // 4,)  # half a MiB each
    store.reserve(num_features, 2 * shape[0])
    store.write(keys_of(range(num_features)), np.ones((num_features, *shape), np.float16))
    store.close()


def test_trunk_that_was_not_used_for_longest_is_dropped_first(tmp_path):
    for age, weights in ((300, "oldest"), (200, "older")):
        fill(tmp_path, card(weights), 8, 12)
        path = tmp_path / card(weights).fingerprint / "trunk.json"
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - age))
    fill(tmp_path, card("new"), 8, 12)
    assert {stored.card.weights for stored in list_stores(tmp_path)} == {"older", "new"}


def test_own_features_are_dropped_when_nothing_else_makes_room(tmp_path):
    fill(tmp_path, card(), 8, 8)
    store = DiskStore(tmp_path, card(), 8 * MIB)
    store.reserve(8, MIB // 2)
    assert store.missing(keys_of(range(8))) == set(keys_of(range(8)))
    store.close()


def test_more_than_the_budget_is_refused_in_one_line(tmp_path):
    store = DiskStore(tmp_path, card(), MIB)
    with pytest.raises(StoreError) as error:
        store.reserve(2048, 2**20)
    store.close()
    assert str(error.value) == ("2.2 GiB of features are more than cache.max_gib = 0.000977 allows")


def test_full_store_says_so(tmp_path):
    store = DiskStore(tmp_path, card(), MIB)
    with pytest.raises(StoreError, match=r"cannot be written \(.*\)"):
        store.write(keys_of(range(4)), np.ones((4, MIB // 2), np.float16))
    store.close()


def test_folder_that_cannot_be_made_is_a_store_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError) as error:
        DiskStore(tmp_path / "file" / "cache", card(), MIB)
    path = tmp_path / "file" / "cache" / card().fingerprint
    assert str(error.value) == f"{path} cannot be used (not a directory)"


def test_store_emptied_by_another_process_is_a_store_error_not_a_crash(tmp_path):
    store = DiskStore(tmp_path, card(), MIB)
    with pytest.raises(StoreError, match="was emptied by another process"):
        store.read(keys_of([0]), SHAPE)
    store.close()


def test_dropped_store_is_gone_from_the_list(tmp_path):
    fill(tmp_path, card(), 2, 8)
    drop_store(tmp_path / card().fingerprint)
    assert list_stores(tmp_path) == []
    assert list_stores(tmp_path / "none") == []


def test_cache_folder_is_the_configured_one(tmp_path):
    assert cache_dir(CacheConfig(dir=str(tmp_path))) == tmp_path / "features"


def test_memory_store_refuses_what_does_not_fit():
    with pytest.raises(StoreError):
        MemoryStore(max_bytes=100).reserve(2, 51)


def test_full_disk_is_a_store_error_and_what_was_there_stays(tmp_path, file_size_limit):
    store = DiskStore(tmp_path, card(), 64 * MIB)
    store.write(keys_of([0]), np.ones((1, *SHAPE), np.float16))
    with file_size_limit(MIB), pytest.raises(StoreError) as error:
        store.write(keys_of(range(1, 9)), np.ones((8, MIB // 2), np.float16))
    path = tmp_path / card().fingerprint
    assert str(error.value) == f"{path} cannot be written (the disk is full, or fails)"
    store.close()
    again = DiskStore(tmp_path, card(), 64 * MIB)
    assert again.missing(keys_of(range(9))) == set(keys_of(range(1, 9)))
    np.testing.assert_array_equal(again.read(keys_of([0]), SHAPE), np.ones((1, *SHAPE)))
    again.close()


def filled(folder, num_features=60, shape=SHAPE):
    """The files of a store whose values are in pages of their own, or share them."""
    store = DiskStore(folder, card(), 64 * MIB)
    features = np.arange(num_features, dtype=np.float16)[:, None, None, None] + np.ones(shape)
    for number in range(num_features):  # a transaction each, so that pages are freed again
        store.write(keys_of([number]), features[number : number + 1].astype(np.float16))
    store.close()
    return folder / card().fingerprint


def computed_anew(folder, num_features=60, shape=SHAPE):
    """Open a store, find out what is missing, write that, read all; what was warned of."""
    warnings = []
    store = DiskStore(folder, card(), 64 * MIB, warnings.append)
    keys = keys_of(range(num_features))
    missing = sorted(store.missing(keys))
    features = np.arange(num_features, dtype=np.float16)[:, None, None, None] + np.ones(shape)
    features = features.astype(np.float16)
    if missing:
        store.write(missing, features[[int.from_bytes(key, "big") for key in missing]])
    np.testing.assert_array_equal(store.read(keys, shape), features)
    store.close()
    return missing, warnings


@pytest.mark.parametrize("shape", [SHAPE, (16, 16, 32)])
def test_whole_store_of_many_transactions_is_found_whole(tmp_path, shape):
    filled(tmp_path, 150, shape)
    assert computed_anew(tmp_path, 150, shape) == ([], [])


def overwritten(path):
    path.write_bytes(b"nothing of the kind" * 1000)


def a_pipe(path):
    path.unlink()
    os.mkfifo(path)


def a_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("shape", [SHAPE, (16, 16, 32)])
@pytest.mark.parametrize("damage", [overwritten, a_pipe, a_folder, 0.1, 0.5, 0.9, 0.999])
def test_store_that_cannot_be_opened_is_computed_anew_with_a_warning(tmp_path, damage, shape):
    database = filled(tmp_path, shape=shape) / "data.mdb"
    if isinstance(damage, float):
        os.truncate(database, int(damage * database.stat().st_size))
    else:
        damage(database)
    missing, warnings = computed_anew(tmp_path, shape=shape)
    assert len(missing) == 60
    assert len(warnings) == 1
    assert warnings[0].endswith("its features are computed anew")


def test_lock_that_is_a_pipe_is_not_waited_for(tmp_path):
    a_pipe(filled(tmp_path) / "lock.mdb")
    assert len(computed_anew(tmp_path)[0]) == 60


@pytest.mark.slow
@pytest.mark.parametrize("shape", [SHAPE, (16, 16, 32)])
def test_no_damaged_byte_ends_the_process_or_bends_a_feature(tmp_path, shape):
    """Every word of the first pages, and of others here and there, in turn."""
    database = filled(tmp_path / "whole", shape=shape) / "data.mdb"
    whole = database.read_bytes()
    generator = np.random.default_rng(0)
    for number in range(150):
        folder = tmp_path / str(number)
        content = bytearray(whole)
        at = int(generator.integers(len(content)))
        if number % 2:  # where the numbers are that lead elsewhere
            at = at // 4096 * 4096 + int(generator.integers(64))
        content[at : at + 4] = generator.choice([b"\xff\xff\xff\x7f", b"\0\0\0\0", b"\xaa" * 4])
        (folder / card().fingerprint).mkdir(parents=True)
        (folder / card().fingerprint / "data.mdb").write_bytes(content)
        computed_anew(folder, shape=shape)


@pytest.mark.parametrize("value", [b"", b"odd", bytes(68), np.full(32, np.nan, "f2").tobytes()])
def test_features_that_are_none_are_computed_anew_with_a_warning(tmp_path, value):
    folder = filled(tmp_path)
    if len(value) == 64:
        value += zlib.crc32(value).to_bytes(4, "little")
    with lmdb.open(str(folder), map_size=64 * MIB) as env, env.begin(write=True) as transaction:
        transaction.put(keys_of([7])[0], value)
        transaction.put(keys_of([9])[0], bytes(68))
    missing, warnings = computed_anew(tmp_path)
    assert missing == keys_of([7, 9])
    assert warnings == [f"feature store: 2 features in {folder} are damaged and computed anew"]
    assert computed_anew(tmp_path) == ([], [])


@pytest.mark.parametrize("name", ["data.mdb", "lock.mdb"])
def test_store_that_is_cut_while_in_use_is_a_store_error(tmp_path, name):
    folder = filled(tmp_path)
    store = DiskStore(tmp_path, card(), 64 * MIB)
    os.truncate(folder / name, 0)
    for look in (
        lambda: store.read(keys_of([1]), SHAPE),
        lambda: store.missing(keys_of([1])),
        lambda: store.write(keys_of([99]), np.ones((1, *SHAPE), np.float16)),
    ):
        with pytest.raises(StoreError, match="was cut by another program"):
            look()
    store.close()


def test_store_that_another_program_cuts_and_fills_with_zeros_gives_no_zeros(tmp_path):
    store = DiskStore(tmp_path, card(), 64 * MIB)
    shape = (4, 4, 256)
    store.write(keys_of(range(20)), np.ones((20, *shape), np.float16))
    store.read(keys_of(range(20)), shape)
    database = tmp_path / card().fingerprint / "data.mdb"
    size = database.stat().st_size
    os.truncate(database, size // 2)
    os.truncate(database, size)
    with pytest.raises(StoreError, match="damaged"):
        store.read(keys_of(range(20)), shape)
    store.close()


def test_values_are_found_in_trees_of_all_depths(store):
    numbers = [7 * number % 2003 for number in range(2000)]
    for start in range(0, 2000, 100):
        some = numbers[start : start + 100]
        features = np.array(some, np.float16)[:, None, None, None] * np.ones(SHAPE, np.float16)
        store.write(keys_of(some), features)
    read = store.read(keys_of(numbers), SHAPE)
    np.testing.assert_array_equal(read[:, 0, 0, 0], np.array(numbers, np.float16))
    assert store.missing(keys_of(range(2003))) == set(keys_of(range(2003))) - set(keys_of(numbers))


def test_store_that_is_moved_or_cleared_while_in_use_is_still_read(tmp_path):
    folder = filled(tmp_path)
    store = DiskStore(tmp_path, card(), 64 * MIB)
    folder.rename(tmp_path / "elsewhere")
    assert store.read(keys_of([1]), SHAPE).shape == (1, *SHAPE)
    drop_store(tmp_path / "elsewhere")
    assert store.missing(keys_of([1, 99])) == set(keys_of([99]))
    store.close()


def test_read_only_folder_is_a_store_error(read_only_folder):
    with pytest.raises(StoreError) as error:
        DiskStore(read_only_folder, card(), MIB)
    reason = "read-only file system" if os.geteuid() == 0 else "permission denied"
    assert str(error.value) == f"{read_only_folder / card().fingerprint} cannot be used ({reason})"


def disk_store(folder, warn=lambda _: None):
    return DiskStore(folder, card(), 64 * MIB, warn)


def test_a_value_that_has_changed_is_never_read(tmp_path):
    store = disk_store(tmp_path)
    store.write([bytes(32)], np.full((1, 5000), 3, np.float16))
    store.close()
    (path,) = tmp_path.rglob("data.mdb")
    content = path.read_bytes()
    three = np.full(5000, 3, np.float16).tobytes()
    assert content.count(three) == 1
    nan = np.full(1, np.nan, np.float16).tobytes()
    path.write_bytes(content.replace(three, nan + three[2:]))
    store = disk_store(tmp_path)
    with pytest.raises(StoreError) as caught:
        store.read([bytes(32)], (5000,))
    assert str(caught.value) == f"{path.parent} holds damaged features"
    assert store.missing([bytes(32)]) == {bytes(32)}
    store.close()


def test_a_value_of_another_size_is_never_read(tmp_path):
    store = disk_store(tmp_path)
    store.write([bytes(32)], np.ones((1, 5000), np.float16))
    with pytest.raises(StoreError, match="holds features of another shape"):
        store.read([bytes(32)], (4999,))
    store.close()
