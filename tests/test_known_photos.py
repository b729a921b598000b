"""What a model knows of photos: shares are kept, and nothing in a file is trusted."""

import h5py
import numpy as np
import pytest

from catsdogs.errors import ConfigError
from catsdogs.model.known_photos import ARRAYS, GROUP, read_known_photos, write_known_photos
from catsdogs.model.refusal import check_share, is_refused, name_of_neither
from catsdogs.training.known_photos import learn_in_folds, learn_known_photos

NUM_FEATURES = 24


def drawn(count, seed, scale=1.0):
    """Features of photos that all come from one place, and how sure a model is of each."""
    generator = np.random.default_rng(seed)
    spreads = np.linspace(0.1, 3, NUM_FEATURES)
    features = scale * generator.normal(size=(count, NUM_FEATURES)) * spreads + 5
    return features.astype(np.float32), generator.uniform(0.5, 1, count).astype(np.float32)


@pytest.fixture(scope="module")
def known():
    features, _ = drawn(400, 0)
    return learn_known_photos(features, *drawn(200, 1))


def strangeness(known, features, confidences):
    return known.strangeness(
        features, np.stack([confidences, *[(1 - confidences) / 2] * 2], axis=1)
    )


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5])
def test_the_share_that_is_asked_for_is_refused_of_photos_that_were_never_seen(share):
    known = learn_known_photos(drawn(400, 0)[0], *drawn(2000, 1))
    values = strangeness(known, *drawn(4000, 2))
    refused = np.mean([is_refused(value, share) for value in values])
    assert refused == pytest.approx(share, abs=0.01 + share / 10)


def test_no_more_held_out_photos_are_refused_than_the_share(known):
    values = strangeness(known, *drawn(200, 1))
    for share in (0.01, 0.02, 0.05, 0.2):
        assert sum(is_refused(value, share) for value in values) <= share * 201


def test_the_strangest_of_49_is_one_in_fifty():
    assert is_refused(49 / 50, 0.02)  # though 1 - 0.98 is more than 0.02 in 64 bits
    assert not is_refused(48 / 50, 0.02)


def test_what_lies_far_from_all_photos_is_refused_however_sure_the_model_is(known):
    features, _ = drawn(50, 3, scale=4)
    values = strangeness(known, features, np.ones(50))
    assert np.mean([is_refused(value, 0.02) for value in values]) > 0.9
    assert values.max() < 1


def test_what_fits_no_class_is_refused_however_near_it_lies(known):
    features = np.repeat(known.mean[None], 3, axis=0)
    unsure, sure = (
        strangeness(known, features, np.full(3, 0.4)),
        strangeness(known, features, np.ones(3)),
    )
    assert all(is_refused(value, 0.02) for value in unsure)
    assert not any(is_refused(value, 0.02) for value in sure)


@pytest.mark.parametrize("share", [0.005, 0.02, 0.1, 0.5])
def test_limits_refuse_what_strangeness_refuses(known, share):
    features, confidences = drawn(1000, 4, scale=1.3)
    least, largest = known.limits(share)
    beyond = (confidences < least) | (known.distances(features).astype(np.float32) > largest)
    refused = [is_refused(value, share) for value in strangeness(known, features, confidences)]
    assert beyond.tolist() == refused
    assert any(refused)


def test_a_share_of_less_than_one_photo_refuses_nothing(known):
    assert known.least_share == 1 / 201
    assert known.limits(0.0049) is None
    values = strangeness(known, *drawn(50, 3, scale=9))
    assert not any(is_refused(value, 0.0049) for value in values)
    with pytest.raises(ConfigError) as error:
        check_share("m.h5", known, 0.004)
    assert str(error.value) == (
        "m.h5 has 200 held-out photos to judge by, too few to refuse a share of 0.004: "
        "train it with more photos, train it with train.folds = 5 and head.kind = logistic, which "
        "judges by all photos, or ask for 0.005 or more"
    )


@pytest.mark.parametrize("share", [-0.1, 0.51, float("nan"), float("inf")])
def test_a_share_that_is_none_is_refused(known, share):
    with pytest.raises(ConfigError, match=r"unknown should be a share of photos, 0 to 0\.5"):
        check_share("m.h5", known, share)


def test_distances_are_those_of_the_textbook_where_all_axes_are_kept():
    features, confidences = drawn(400, 0)
    features = features[:, :12]
    known = learn_known_photos(features, features, confidences)
    directions = features / np.linalg.norm(features, axis=1, keepdims=True).astype(float)
    centred = directions - directions.mean(axis=0)
    covariance = centred.T @ centred / len(features)
    expected = np.sqrt(np.einsum("ni,ij,nj->n", centred, np.linalg.inv(covariance), centred))
    # one axis of the twelve is the one that is across all others
    np.testing.assert_allclose(known.distances(features), expected, rtol=2e-2)


def test_how_bright_features_are_does_not_matter(known):
    features, _ = drawn(20, 3)
    np.testing.assert_allclose(known.distances(3 * features), known.distances(features), rtol=1e-5)
    assert np.isfinite(known.distances(np.zeros((1, NUM_FEATURES)))).all()


def test_fewer_photos_than_features_will_do():
    features, _ = drawn(16, 0)
    known = learn_known_photos(features, *drawn(60, 1))
    assert known.axes.shape == (NUM_FEATURES, 4)
    np.testing.assert_allclose(known.axes.T @ known.axes, np.eye(4), atol=1e-5)


@pytest.mark.parametrize("features", [np.ones((9, 5)), np.ones((1, 5)), np.ones((0, 5))])
def test_photos_that_all_look_the_same_tell_nothing(features):
    assert learn_known_photos(features, features, np.ones(len(features))) is None


def test_in_folds_every_photo_is_measured_by_others():
    features, confidences = drawn(400, 0)
    inside = learn_known_photos(features, features, confidences)
    folds = learn_in_folds(features, np.arange(400) % 5, confidences)
    np.testing.assert_array_equal(folds.axes, inside.axes)
    assert np.median(folds.held_out[:, 1]) > np.median(inside.held_out[:, 1])
    values = strangeness(folds, *drawn(4000, 2))
    assert np.mean([is_refused(value, 0.1) for value in values]) == pytest.approx(0.1, abs=0.06)


def test_more_held_out_photos_than_needed_are_thinned_out():
    features, _ = drawn(100, 0)
    known = learn_known_photos(features, *drawn(5000, 1))
    assert known.held_out.shape == (2000, 2)


def test_a_class_called_neither_is_told_from_the_answer():
    assert name_of_neither(["cats", "dogs"]) == "neither"
    assert name_of_neither(["neither", "neither!"]) == "neither!!"


@pytest.fixture
def file(tmp_path, known):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        write_known_photos(file, known)
        yield file


def test_what_is_written_is_read(file, known):
    found = read_known_photos(file)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(found, name), getattr(known, name))


def test_a_file_without_it_knows_nothing(tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        assert read_known_photos(file) is None


def replace(file, name, values, **options):
    del file[GROUP][name]
    file[GROUP].create_dataset(name, data=values, **options)


def not_finite(file):
    values = file[GROUP]["axes"][()]
    values[3, 2] = np.nan
    replace(file, "axes", values)


HOSTILE = {
    "missing": lambda file: file[GROUP].pop("axes"),
    "not finite": not_finite,
    "other shape": lambda file: replace(file, "mean", np.zeros(7, np.float32)),
    "no table": lambda file: replace(file, "held_out", np.zeros(8, np.float32)),
    "empty table": lambda file: replace(file, "held_out", np.zeros((0, 2), np.float32)),
    "huge table": lambda file: replace(file, "held_out", np.zeros((9999, 2), np.float32)),
    "spread of zero": lambda file: replace(file, "spreads", np.zeros(17, np.float32)),
    "negative spread": lambda file: replace(file, "spreads", -np.ones(17, np.float32)),
    "other type": lambda file: replace(file, "mean", np.zeros(NUM_FEATURES, np.int64)),
    "one number": lambda file: replace(file, "axes", np.float32(1)),
    "text": lambda file: replace(file, "mean", "mean"),
    "compressed": lambda file: replace(
        file, "axes", np.zeros((NUM_FEATURES, 16), np.float32), compression="gzip"
    ),
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_hostile_arrays_are_refused(file, change):
    change(file)
    with pytest.raises((ValueError, KeyError)):
        read_known_photos(file)


def test_a_link_to_another_file_is_refused(file, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["mean"] = np.zeros(NUM_FEATURES, np.float32)
    del file[GROUP]["mean"]
    file[GROUP]["mean"] = h5py.ExternalLink("other.h5", "mean")
    with pytest.raises(ValueError, match="link to another place"):
        read_known_photos(file)


def test_a_group_that_is_an_array_is_refused(tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file[GROUP] = np.zeros(3)
        with pytest.raises(ValueError, match="it has no"):
            read_known_photos(file)
