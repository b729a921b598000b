"""The split by content: exact where a class is small, unmoved where it is large."""

import hashlib

import pytest

from catsdogs.data.content_split import held_back


def contents(count, seed=0):
    return [hashlib.blake2b(b"%d/%d" % (seed, i), digest_size=16).digest() for i in range(count)]


@pytest.mark.parametrize(
    ("count", "share", "expected"),
    [(2, 0.2, 1), (5, 0.2, 1), (10, 0.2, 2), (50, 0.2, 10), (5, 0.9, 4), (10, 0.25, 3)],
)
def test_a_small_class_gives_exactly_its_share(count, share, expected):
    assert {len(held_back(contents(count, seed), share)) for seed in range(30)} == {expected}


def test_something_stays_on_either_side():
    for count in (2, 3, 60):
        assert len(held_back(contents(count), 1e-9)) == 1
        assert len(held_back(contents(count), 1 - 1e-9)) == count - 1
    assert held_back(contents(1), 0.99) == set()
    assert held_back([], 0.5) == set()


def moved(before, after, known):
    return len((before ^ after) & set(known))


@pytest.mark.parametrize(("up_to", "most"), [(49, 1), (900, 2)])
def test_adding_a_photo_moves_few_others(up_to, most):
    for seed in range(3):
        everything = contents(up_to + 1, seed)
        step = 1 if up_to < 100 else 7
        for count in range(2, up_to + 1, step):
            known = everything[:count]
            before, after = held_back(known, 0.2), held_back([*known, everything[count]], 0.2)
            assert moved(before, after, known) <= most


def test_adding_photos_to_a_large_class_moves_none():
    for seed in range(20):
        everything = contents(2000, seed)
        first = held_back(everything[:1000], 0.2)
        for count in (1001, 1100, 2000):
            assert moved(first, held_back(everything[:count], 0.2), everything[:1000]) == 0


def test_copies_count_once_and_fall_together():
    once = contents(30)
    assert held_back(once * 3, 0.2) == held_back(once, 0.2)


def test_the_order_does_not_matter():
    some = contents(120)
    assert held_back(reversed(some), 0.3) == held_back(some, 0.3)
