import os
import threading

import keras
import numpy as np
import pytest
from PIL import Image

from catsdogs.config import AugmentConfig, CacheConfig
from catsdogs.data.dataset import Sample
from catsdogs.data.images import read_photo
from catsdogs.modeling.features import (
    DiskStore,
    FeatureSource,
    MemoryStore,
    StoreError,
    TrunkCard,
    View,
    cache_dir,
    count_features,
    drop_store,
    hash_weights,
    list_stores,
    view_key,
)

SHAPE = (4, 4, 2)
MIB = 2**20


def card(weights="a", **changes):
    facts = {"backbone": "tiny", "boundary": "pool", "pooling": "", "precision": "float32"}
    return TrunkCard(**{**facts, "image_size": (8, 8), **changes}, weights=weights)


def keys_of(numbers):
    return [number.to_bytes(32, "big") for number in numbers]


@pytest.fixture
def trunk():
    images = keras.Input((8, 8, 3))
    x = keras.layers.Rescaling(1 / 255)(images)
    x = keras.layers.Conv2D(2, 3, padding="same", kernel_initializer=keras.initializers.Ones())(x)
    return keras.Model(images, keras.layers.MaxPooling2D()(x))


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    generator = np.random.default_rng(0)
    samples = []
    for number in range(7):
        path = folder / f"{number}.png"
        Image.fromarray(generator.integers(0, 256, (8, 8, 3)).astype(np.uint8)).save(path)
        samples.append(Sample(path, number % 2, number.to_bytes(16, "big")))
    return samples


@pytest.fixture(params=["disk", "memory"])
def store(request, tmp_path):
    if request.param == "memory":
        yield MemoryStore()
        return
    store = DiskStore(tmp_path / "cache", card(), 64 * MIB)
    yield store
    store.close()


def make_source(trunk, store, **bounds):
    return FeatureSource(trunk, store, AugmentConfig(**bounds), seed=0)


def ensure(source, views, batch_size=3):
    done = []
    extraction = source.ensure(views, batch_size, 2, done.append)
    assert sum(done) == extraction.num_computed + len(extraction.failures)
    return extraction


def test_what_is_written_is_read_in_the_order_asked_for(store):
    features = np.arange(5 * 32, dtype=np.float16).reshape(5, *SHAPE)
    store.write(keys_of(range(5)), features)
    np.testing.assert_array_equal(store.read(keys_of([3, 0, 3]), SHAPE), features[[3, 0, 3]])
    assert store.missing(keys_of([1, 9])) == set(keys_of([9]))


def test_features_are_the_trunks_output_also_in_a_short_last_batch(store, trunk, photos):
    source = make_source(trunk, store)
    views = [View(photo, 0) for photo in photos]
    assert ensure(source, views).num_computed == 7
    images = np.stack([read_photo(photo.path, (8, 8)) for photo in photos])
    expected = trunk.predict(images, verbose=0)
    batches = source.batches(views, batch_size=4)
    assert len(batches) == 2
    np.testing.assert_allclose(np.concatenate([b[0] for b in batches]), expected, rtol=1e-3)
    np.testing.assert_array_equal(batches[1][1], [0, 1, 0])


def test_second_pass_computes_nothing_and_more_photos_only_themselves(store, trunk, photos):
    source = make_source(trunk, store)
    ensure(source, [View(photo, 0) for photo in photos[:5]])
    again = ensure(source, [View(photo, 0) for photo in photos])
    assert (again.num_computed, again.num_found) == (2, 5)


def test_renamed_photo_is_found_and_copies_are_computed_once(store, trunk, photos):
    source = make_source(trunk, store)
    ensure(source, [View(photos[0], 0)])
    renamed = Sample(
        photos[0].path.rename(photos[0].path.with_name("new.png")), 0, photos[0].content_hash
    )
    copy = Sample(photos[1].path, 0, photos[1].content_hash)
    done = ensure(source, [View(renamed, 0), View(photos[1], 0), View(copy, 0)])
    assert (done.num_computed, done.num_found) == (1, 1)


def test_views_are_kept_apart_by_number_bounds_and_seed_but_view_0_is_not():
    photo = Sample(None, 0, bytes(16))
    bounds, wider = AugmentConfig(), AugmentConfig(zoom=0.3)
    keys = {
        view_key(View(photo, 1), bounds, 0),
        view_key(View(photo, 2), bounds, 0),
        view_key(View(photo, 1), wider, 0),
        view_key(View(photo, 1), bounds, 1),
        view_key(View(photo, 0), bounds, 0),
    }
    assert len(keys) == 5
    assert view_key(View(photo, 0), bounds, 0) == view_key(View(photo, 0), wider, 1)
    assert view_key(View(photo, 1), AugmentConfig(views=9), 0) in keys


def test_photo_that_cannot_be_read_is_reported_and_the_others_are_kept(store, trunk, photos):
    photos[2].path.write_bytes(b"broken")
    source = make_source(trunk, store)
    done = ensure(source, [View(photo, 0) for photo in photos])
    assert done.num_computed == 6
    assert done.failures == [(photos[2], "not a picture, or damaged at its start")]
    assert source.count_missing([View(photo, 0) for photo in photos]) == 1


def test_values_beyond_float16_are_clipped(store, photos):
    images = keras.Input((8, 8, 3))
    trunk = keras.Model(images, keras.layers.Rescaling(1e6)(images))
    source = make_source(trunk, store)
    ensure(source, [View(photos[0], 0)])
    features, _ = source.batches([View(photos[0], 0)], 1)[0]
    assert np.isfinite(features).all()
    assert features.max() == np.finfo(np.float16).max


def test_every_fact_about_a_trunk_changes_its_fingerprint(trunk):
    cards = [
        card(),
        card(weights="b"),
        card(backbone="other"),
        card(boundary="other"),
        card(pooling="max"),
        card(image_size=(8, 9)),
        card(precision="bfloat16"),
    ]
    assert len({c.fingerprint for c in cards}) == len(cards)
    before = hash_weights(trunk)
    trunk.layers[2].bias.assign([1e-6, 0.0])
    assert hash_weights(trunk) != before


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
