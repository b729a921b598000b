from collections import Counter
from importlib import resources

import numpy as np
import pytest

from catsdogs.commands.sample import ARCHIVE_NAME, SampleResult, sample
from catsdogs.data.images import open_photo
from catsdogs.data.walking import list_photos
from catsdogs.errors import DataError


def refusal(folder):
    with pytest.raises(DataError) as caught:
        sample(folder)
    return str(caught.value)


def test_sample_unpacks_three_splits_of_two_classes(tmp_path):
    folder = tmp_path / "data"
    assert sample(folder) == SampleResult(folder, num_photos=240, num_written=240)
    places = [path.parent.relative_to(folder).as_posix() for path in list_photos(folder)]
    assert Counter(places) == {
        "train/cats": 80,
        "train/dogs": 80,
        "validation/cats": 20,
        "validation/dogs": 20,
        "test/cats": 20,
        "test/dogs": 20,
    }


def test_all_photos_can_be_read_and_differ(tmp_path):
    sample(tmp_path)
    images = [open_photo(path, (32, 32)) for path in list_photos(tmp_path)]
    assert len({np.asarray(image).tobytes() for image in images}) == 240


def test_second_time_writes_nothing(tmp_path):
    sample(tmp_path)
    assert sample(tmp_path) == SampleResult(tmp_path, num_photos=240, num_written=0)


def test_missing_and_half_written_photos_are_put_back(tmp_path):
    sample(tmp_path)
    first, second, *_ = list_photos(tmp_path)
    contents = first.read_bytes(), second.read_bytes()
    first.unlink()
    second.write_bytes(contents[1][:100])
    assert sample(tmp_path).num_written == 2
    assert (first.read_bytes(), second.read_bytes()) == contents


@pytest.mark.parametrize("place", ["train/cats/mine.jpg", "test/mine.png", "validation/a/b/c.png"])
def test_folder_with_other_photos_is_refused_and_left_as_it_was(tmp_path, place):
    folder = tmp_path / "data"
    mine = folder / place
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    assert refusal(folder) == (
        f"{folder} holds other photos ({mine}): choose another folder, "
        "e.g. `catsdogs sample sample_photos`"
    )
    assert [path for path in folder.rglob("*") if path.is_file()] == [mine]


@pytest.mark.parametrize("place", ["cats/mine.jpg", "val/cats/mine.jpg"])
def test_folder_with_photos_in_another_layout_is_refused_and_left_as_it_was(tmp_path, place):
    mine = tmp_path / place
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    assert refusal(tmp_path) == (
        f"{tmp_path} holds other photos ({mine}): choose another folder, "
        "e.g. `catsdogs sample sample_photos`"
    )
    assert list_photos(tmp_path) == [mine]


def test_file_in_place_of_the_folder_is_explained(tmp_path):
    path = tmp_path / "data"
    path.write_text("")
    message = f"{path} cannot be written (not a directory): choose another folder"
    assert refusal(path) == message


def test_source_and_licence_of_the_photos_come_with_them(tmp_path):
    text = (resources.files("catsdogs") / "sample" / "README.md").read_text(encoding="utf-8")
    assert ARCHIVE_NAME in text
    assert "Oxford-IIIT Pet Dataset" in text
    assert "CC BY-SA 4.0" in text
