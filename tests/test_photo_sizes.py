import pytest

from catsdogs.data.photo_sizes import NUM_LOOKED_AT, note_on_small_photos

NOTE = (
    "no photo has more than 60 pixels on its shorter side: with model.image_size = [64, 64] "
    "the network would have 92% less to compute"
)


def test_photos_that_would_all_be_enlarged_are_worth_a_note(tmp_path, make_photos):
    paths = make_photos(tmp_path, 3, size=(60, 300))
    assert note_on_small_photos(paths, (224, 224)) == NOTE


@pytest.mark.parametrize("size", [(224, 224), (210, 400)])
def test_one_photo_that_is_large_enough_is_enough(tmp_path, make_photos, size):
    paths = [*make_photos(tmp_path, 3, size=(60, 300)), *make_photos(tmp_path, 1, 1, size=size)]
    assert note_on_small_photos(paths, (224, 224)) == ""


def test_unreadable_photos_say_nothing_about_size(tmp_path, make_photos):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    assert note_on_small_photos([bad], (224, 224)) == ""
    paths = make_photos(tmp_path, 1, size=(60, 300))
    assert note_on_small_photos([bad, *paths, tmp_path / "gone.png"], (224, 224)) == NOTE


def test_of_many_photos_some_are_looked_at(tmp_path, make_photos):
    paths = make_photos(tmp_path, 1, size=(60, 300)) * NUM_LOOKED_AT * 100
    assert note_on_small_photos(paths, (224, 224)) == NOTE
