import keras
import numpy as np
import pytest
from PIL import Image

from catsdogs.config import AugmentConfig
from catsdogs.data.contents import hash_content
from catsdogs.data.images import read_photo
from catsdogs.data.samples import Sample
from catsdogs.data.views import ViewReader
from catsdogs.network.engines.keras_engine import KerasEngine
from catsdogs.training.feature_store import MemoryStore, StoreError
from catsdogs.training.features import CachedFeatures, View, hash_weights


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
        samples.append(Sample(path, number % 2, hash_content(path.read_bytes())))
    return samples


def make_source(trunk, store, **bounds):
    views = ViewReader((8, 8), AugmentConfig(**bounds), seed=0)
    engine = KerasEngine(trunk, "float32", batch_size=3)
    return CachedFeatures(engine, trunk.output.shape[1:], store, views)


def ensure(source, views):
    done = []
    extraction = source.ensure(views, 2, done.append)
    assert sum(done) == extraction.num_computed + len(extraction.failures)
    return extraction


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


def test_what_cannot_be_kept_ahead_is_one_warning_and_stops_nothing(store, trunk, photos):
    class FullStore(MemoryStore):
        def write(self, keys, features):
            raise StoreError("the disk is full")

    lines = []
    both = keras.Model(trunk.input, [trunk.output, trunk.layers[1].output])
    engine, views = KerasEngine(both, "float32"), ViewReader((8, 8), AugmentConfig(), 0)
    source = CachedFeatures(engine, trunk.output.shape[1:], store, views, lines.append, FullStore())
    views = [View(photo, 0) for photo in photos]
    assert ensure(source, views).num_computed == 7
    assert source.count_missing(views) == 0
    assert lines == ["feature store: the disk is full: fine-tuning will have to compute more"]


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
    def key(augment, seed, number):
        return ViewReader((8, 8), augment, seed).key(Sample(None, 0, bytes(16)), number)

    bounds, wider = AugmentConfig(), AugmentConfig(zoom=0.3)
    keys = {
        key(bounds, 0, 1),
        key(bounds, 0, 2),
        key(wider, 0, 1),
        key(bounds, 1, 1),
        key(bounds, 0, 0),
    }
    assert len(keys) == 5
    assert key(bounds, 0, 0) == key(wider, 1, 0)
    assert key(AugmentConfig(views=9), 0, 1) in keys


def test_photo_that_cannot_be_read_is_reported_and_the_others_are_kept(store, trunk, photos):
    photos[2].path.write_bytes(b"broken")
    photos[2] = Sample(photos[2].path, 0, hash_content(b"broken"))
    source = make_source(trunk, store)
    done = ensure(source, [View(photo, 0) for photo in photos])
    assert done.num_computed == 6
    assert done.failures == [(photos[2], "not a picture, or damaged at its start")]
    assert source.count_missing([View(photo, 0) for photo in photos]) == 1


def test_photo_that_changes_or_vanishes_is_reported_and_leaves_nothing_behind(store, trunk, photos):
    photos[2].path.write_bytes(photos[3].path.read_bytes())
    photos[4].path.unlink()
    source = make_source(trunk, store)
    done = ensure(source, [View(photo, 0) for photo in photos])
    assert done.failures == [
        (photos[2], "changed while it was read"),
        (photos[4], "no such file or directory"),
    ]
    assert source.count_missing([View(photo, 0) for photo in photos]) == 2


def test_copy_stands_in_for_a_photo_that_vanished(store, trunk, photos):
    gone = Sample(photos[0].path.with_name("gone.png"), 0, photos[0].content_hash)
    for views in ([View(photos[0], 0), View(gone, 0)], [View(gone, 1), View(photos[0], 1)]):
        done = ensure(make_source(trunk, store), views)
        assert (done.num_computed, done.failures) == (1, [])


def test_values_beyond_float16_are_clipped(store, photos):
    images = keras.Input((8, 8, 3))
    trunk = keras.Model(images, keras.layers.Rescaling(1e6)(images))
    source = make_source(trunk, store)
    ensure(source, [View(photos[0], 0)])
    features, _ = source.batches([View(photos[0], 0)], 1)[0]
    assert np.isfinite(features).all()
    assert features.max() == np.finfo(np.float16).max


def test_any_weight_changes_the_hash(trunk):
    before = hash_weights(trunk)
    trunk.layers[2].bias.assign([1e-6, 0.0])
    assert hash_weights(trunk) != before
