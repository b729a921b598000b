import os
import threading
import time

import numpy as np
import pytest

from catsdogs.config import DataConfig
from catsdogs.data.batches import (
    decode_ahead,
    fill_batch,
    num_decode_threads,
    shuffled,
)
from catsdogs.data.dataset import load_dataset
from catsdogs.data.samples import Sample
from catsdogs.errors import DataError

SIZE = (16, 24)


def pixels_of(position):
    return np.full((2, 3, 3), position, np.uint8)


def reader(*unreadable):
    """Pixels that tell their position, but for the unreadable ones."""

    def read(position):
        if position in unreadable:
            raise DataError(f"damaged {position}")
        return pixels_of(position)

    return read


def shown(batch):
    """What the images are of, and what the batch says about it."""
    return batch.images[:, 0, 0, 0].tolist(), batch.positions, batch.failures


def decode_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


@pytest.fixture
def samples(class_folders):
    return load_dataset(DataConfig(dir=str(class_folders)), seed=0).splits["train"]


@pytest.mark.parametrize("num_threads", [1, 4])
def test_batches_come_in_order_and_the_last_may_be_short(num_threads):
    batches = list(decode_ahead(reader(), 8, 3, num_threads))
    assert [shown(batch) for batch in batches] == [
        ([0, 1, 2], [0, 1, 2], []),
        ([3, 4, 5], [3, 4, 5], []),
        ([6, 7], [6, 7], []),
    ]
    assert (batches[0].images.shape, batches[0].images.dtype) == ((3, 2, 3, 3), np.uint8)


def test_slow_photos_do_not_change_the_order():
    last_is_read = threading.Event()

    def read(position):
        if position == 0:
            assert last_is_read.wait(timeout=30)
        if position == 3:
            last_is_read.set()
        return pixels_of(position)

    batches = list(decode_ahead(read, 4, 2, num_threads=2))
    assert [batch.positions for batch in batches] == [[0, 1], [2, 3]]


def test_unreadable_photos_take_no_place_and_are_reported_with_the_next_batch():
    batches = decode_ahead(reader(0, 3, 4, 8), 9, 3, 2)
    assert [shown(batch) for batch in batches] == [
        ([1, 2, 5], [1, 2, 5], [(0, "damaged 0"), (3, "damaged 3"), (4, "damaged 4")]),
        ([6, 7], [6, 7], [(8, "damaged 8")]),
    ]


def test_failure_behind_the_last_full_batch_comes_in_an_empty_one():
    first, last = decode_ahead(reader(2), 3, 2, 2)
    assert shown(first) == ([0, 1], [0, 1], [])
    assert (len(last.images), last.positions, last.failures) == (0, [], [(2, "damaged 2")])


def test_all_unreadable_gives_one_empty_batch():
    (batch,) = decode_ahead(reader(*range(5)), 5, 2, 2)
    assert (len(batch.images), batch.positions) == (0, [])
    assert batch.failures == [(position, f"damaged {position}") for position in range(5)]


def test_no_photos_give_no_batches():
    assert list(decode_ahead(reader(), 0, 4, 2)) == []


def test_bug_in_reading_is_not_taken_for_a_bad_photo():
    def read(position):
        return 1 // position

    with pytest.raises(ZeroDivisionError):
        list(decode_ahead(read, 3, 2, 2))
    assert decode_threads() == []


def test_photos_are_read_only_a_few_batches_ahead():
    positions_read = []

    def read(position):
        positions_read.append(position)
        return pixels_of(position)

    batches = decode_ahead(read, 1000, 4, 2)
    for _ in range(10):
        next(batches)
    batches.close()
    assert max(positions_read) < 40 + 3 * 4


def test_closing_early_drops_what_waits_and_ends_the_threads():
    positions_read = []

    def read(position):
        positions_read.append(position)
        if position >= 4:
            time.sleep(0.05)
        return pixels_of(position)

    batches = decode_ahead(read, 1000, 4, num_threads=1)
    assert shown(next(batches)) == ([0, 1, 2, 3], [0, 1, 2, 3], [])
    assert decode_threads()
    batches.close()
    assert decode_threads() == []
    assert len(positions_read) < 3 * 4


def test_configured_number_of_threads_is_taken():
    assert num_decode_threads(3) == 3


def test_no_configured_number_takes_the_cores_of_this_process():
    assert 1 <= num_decode_threads(0) <= os.cpu_count()


@pytest.mark.parametrize(("count", "filled"), [(1, [0, 0, 0]), (2, [0, 1, 1]), (3, [0, 1, 2])])
def test_short_batch_is_filled_with_its_last_image(count, filled):
    images = np.stack([pixels_of(position) for position in range(count)])
    assert np.array_equal(fill_batch(images, 3), np.stack([pixels_of(p) for p in filled]))


def test_shuffled_is_a_permutation_seeded_for_each_epoch(tmp_path):
    samples = [Sample(tmp_path / f"{index}.png", index) for index in range(50)]
    orders = [shuffled(samples, seed, epoch) for seed, epoch in [(0, 1), (0, 1), (0, 2), (1, 1)]]
    assert all(sorted(order, key=lambda s: s.label) == samples for order in orders)
    assert orders[0] == orders[1]
    assert len({tuple(order) for order in [samples, *orders]}) == 4
