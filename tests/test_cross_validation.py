"""Folds: every class in each, copies and groups in one, nothing drawn."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from catsdogs.training.cross_validation import assign_folds, splits


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), min_size=1, max_size=60),
    st.integers(2, 6),
)
def test_a_group_is_never_split_and_every_photo_is_answered_for_once(photos, num_folds):
    labels, groups = np.array([p[0] for p in photos]), [p[1] for p in photos]
    folds = assign_folds(labels, groups, num_folds)
    for group in set(groups):
        assert len({folds[i] for i, g in enumerate(groups) if g == group}) == 1
    asked = np.concatenate([asked for _, asked in splits(folds)])
    assert sorted(asked) == list(range(len(photos)))
    for known, others in splits(folds):
        assert set(known).isdisjoint(others)
        assert len(known) + len(others) == len(photos)


def test_classes_are_spread_evenly():
    labels = np.repeat([0, 1, 2], [10, 11, 4])
    folds = assign_folds(labels, None, 5)
    counts = np.array([[((folds == f) & (labels == c)).sum() for c in range(3)] for f in range(5)])
    assert (counts.max(axis=0) - counts.min(axis=0)).tolist() == [0, 1, 1]
    assert np.bincount(folds).tolist() == [5, 5, 5, 5, 5]


def test_the_same_photos_give_the_same_folds():
    labels = np.array([0, 1, 0, 1, 1, 0])
    assert assign_folds(labels, None, 3).tolist() == assign_folds(labels, None, 3).tolist()


def test_fewer_groups_than_folds_leave_folds_out():
    folds = assign_folds(np.array([0, 1, 1]), ["a", "b", "b"], 5)
    assert len(list(splits(folds))) == 2
