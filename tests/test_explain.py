from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from catsdogs.commands.explain import name_outputs
from catsdogs.files import replacing
from tests.conftest import BLUISH, REDDISH


@pytest.fixture
def folder(tmp_path, make_tiny_model, make_photos, monkeypatch):
    """A model, and two folders with photos of the same names."""
    monkeypatch.chdir(tmp_path)
    make_tiny_model(tmp_path / "models" / "catsdogs.h5")
    make_photos(tmp_path / "one", 1, 1, REDDISH)
    make_photos(tmp_path / "other", 1, 1, BLUISH)
    return tmp_path


def rows(result):
    return [tuple(line.split("\t")) for line in result.stdout.splitlines()]


def test_one_photo_is_explained_in_the_current_folder(folder, call):
    path, name, probability, output = rows(call("explain", "one/1_000.png"))[0]
    assert (path, name, output) == ("one/1_000.png", "cats", "1_000.explained.png")
    predicted = call("predict", "one/1_000.png").stdout.rstrip("\n")
    assert predicted == f"{path}\t{name}\t{probability}"
    with Image.open(folder / output) as picture:
        assert picture.format == "PNG"
        assert picture.size == (2 * 512 + 36, 384 + 56)


def test_several_photos_are_explained_in_a_folder_under_names_of_their_own(folder, call):
    result = call("explain", "one", "other/1_000.png", "one/*.png")
    assert [row[-1] for row in rows(result)] == [
        "explained/1_000.explained.png",
        "explained/1_000-2.explained.png",
        "explained/1_000-3.explained.png",
    ]
    assert len(list((folder / "explained").iterdir())) == 3
    assert [row[1] for row in rows(result)] == ["cats", "dogs", "cats"]


@pytest.mark.parametrize(
    ("output", "expected"),
    [("mine.png", "mine.png"), ("a/b", "a/b/1_000.explained.png"), ("A.PNG", "A.PNG")],
)
def test_output_is_a_file_or_a_folder(folder, call, output, expected):
    assert rows(call("explain", "one/1_000.png", "--output", output))[0][-1] == expected
    assert (folder / expected).is_file()


def test_any_class_can_be_explained(folder, call):
    path, name, probability, _ = rows(call("explain", "one/1_000.png", "--class", "dogs"))[0]
    assert (path, name) == ("one/1_000.png", "dogs")
    assert float(probability) < 0.5


def test_an_unknown_class_is_an_error(folder, call):
    result = call("explain", "one/1_000.png", "--class", "dog", code=2)
    assert result.stderr == (
        "error: the model has no class 'dog', it has cats, dogs: choose one of them "
        "by --class NAME\n"
    )
    assert not (folder / "1_000.explained.png").exists()


def test_a_bad_file_is_named_and_the_others_are_explained(folder, call):
    (folder / "bad.jpg").write_bytes(b"no picture")
    result = call("explain", "bad.jpg", "one", "--output", "out", code=1)
    first, second = rows(result)
    assert first == ("bad.jpg", "error", "not a picture, or damaged at its start")
    assert second[-1] == "out/1_000.explained.png"
    assert result.stderr.splitlines()[-1] == "1 of 2 photos could not be read"
    assert [path.name for path in (folder / "out").iterdir()] == ["1_000.explained.png"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["one/1_000.png", "--output", "one/1_000.png"],
            "error: one/1_000.png is a photo and would be replaced: choose another place by "
            "--output PATH",
        ),
        (
            ["one/1_000.png", "other/1_000.png", "--output", "both.png"],
            "error: both.png is one file for 2 photos: choose a folder by --output PATH",
        ),
    ],
)
def test_no_photo_is_ever_replaced(folder, call, arguments, message):
    before = (folder / "one" / "1_000.png").read_bytes()
    assert call("explain", *arguments, code=2).stderr == message + "\n"
    assert (folder / "one" / "1_000.png").read_bytes() == before


@pytest.mark.parametrize("size", [(1, 1), (3, 1000), (2000, 900)])
def test_photos_of_any_size_are_explained(folder, call, size):
    Image.new("RGB", size, REDDISH).save(folder / "photo.png")
    call("explain", "photo.png")
    with Image.open(folder / "photo.explained.png") as picture:
        picture.load()


def test_the_photo_is_shown_upright(folder, call):
    pixels = np.full((40, 80, 3), 255, np.uint8)
    pixels[:, :40] = 0  # black on the left; turned clockwise, black at the top
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.fromarray(pixels).save(folder / "phone.jpg", exif=exif, quality=95)
    call("explain", "phone.jpg")
    with Image.open(folder / "phone.explained.png") as picture:
        shown = np.asarray(picture.convert("L"))[44:-12, 12 : 12 + 256].astype(float)
    assert shown[:240].mean() < 20
    assert shown[-240:].mean() > 235


@pytest.mark.parametrize("letter", ["x", "é", "猫"])
def test_a_long_name_gives_a_picture_of_a_name_that_can_be_written(tmp_path, letter):
    stem = letter * (250 // len(letter.encode()))
    first, second = name_outputs([Path(f"a/{stem}.jpg"), Path(f"b/{stem}.jpg")], tmp_path)
    assert first != second
    for path in (first, second):
        with replacing(path) as part:
            part.write_bytes(b"")
        assert path.exists()
