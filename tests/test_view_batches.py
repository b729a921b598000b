import numpy as np
import pytest

from catsdogs.config import AugmentConfig, DataConfig
from catsdogs.data.dataset import load_dataset
from catsdogs.data.images import read_photo
from catsdogs.data.views import ViewReader
from catsdogs.training.view_batches import ViewBatches

SIZE = (16, 24)


@pytest.fixture
def samples(class_folders):
    return load_dataset(DataConfig(dir=str(class_folders)), seed=0).splits["train"]


@pytest.mark.parametrize("view_number", [0, 3])
def test_view_batches_hold_the_views_and_labels_in_order(samples, view_number):
    views = ViewReader(SIZE, AugmentConfig(), seed=5)
    batches = ViewBatches(samples, view_number, views, batch_size=3)
    assert len(batches) == 3
    items = [batches[index] for index in range(3)]
    assert [images.shape for images, _ in items] == [(3, *SIZE, 3), (3, *SIZE, 3), (2, *SIZE, 3)]
    assert {(images.dtype.name, labels.dtype.name) for images, labels in items} == {
        ("uint8", "int32")
    }
    expected = [views.read(sample, view_number) for sample in samples]
    assert np.array_equal(np.concatenate([images for images, _ in items]), expected)
    assert np.concatenate([labels for _, labels in items]).tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


def test_view_0_is_the_photo_as_prediction_reads_it(samples):
    batches = ViewBatches(samples, 0, ViewReader(SIZE, AugmentConfig(), seed=0), batch_size=8)
    images, _ = batches[0]
    assert np.array_equal(images, [read_photo(sample.path, SIZE) for sample in samples])


def test_views_with_other_seeds_differ(samples):
    first, second = (
        ViewBatches(samples, 1, ViewReader(SIZE, AugmentConfig(), seed), batch_size=8)[0][0]
        for seed in (0, 1)
    )
    assert not np.array_equal(first, second)
