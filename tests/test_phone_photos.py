"""Photos as phones and web pages make them: HEIC, AVIF, and JPEGs of other suffixes."""

import sys

import numpy as np
import pytest
from PIL import ExifTags, Image, features

from catsdogs.data.contents import TooLargeError
from catsdogs.data.images import decode_photo, read_header, read_photo
from catsdogs.data.walking import is_photo
from catsdogs.errors import DataError

HEIC_WAY_OUT = "a HEIC photo: run `pip install 'catsdogs[heic]'` to read it, or convert it to JPEG"


def save_heic(image, path, **options):
    heif = pytest.importorskip("pillow_heif")
    heif.from_pillow(image).save(path, quality=100, **options)
    return path


def quarters():
    """Red, green, blue and white, from top left to bottom right; 40 high, 60 wide."""
    pixels = np.full((40, 60, 3), 255, np.uint8)
    pixels[:20, :30], pixels[:20, 30:], pixels[20:, :30] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    return Image.fromarray(pixels)


@pytest.fixture
def no_heif(monkeypatch):
    """As if pillow-heif were not installed."""
    monkeypatch.setitem(sys.modules, "pillow_heif", None)


@pytest.mark.parametrize("name", ["a.JFIF", "a.jpe", "a.heic", "a.HEIF", "a.hif", "a.avif"])
def test_suffixes_of_phones_and_browsers_are_photos(name, tmp_path):
    assert is_photo(tmp_path / name)


def test_heic_shows_what_was_photographed(tmp_path):
    path = save_heic(quarters(), tmp_path / "a.heic")
    assert np.abs(np.asarray(decode_photo(path.read_bytes()), int) - quarters()).mean() < 8
    assert read_photo(path, (8, 12)).shape == (8, 12, 3)
    assert read_header(path.read_bytes()).format == "HEIF"
    registered = {format_name for format_name, _ in Image.OPEN.items()}
    assert "HEIF" not in registered  # nothing changes for the program that uses the package


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_heic_is_turned_upright_once(tmp_path, orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    turned = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90}
    turned[8] = Image.Transpose.ROTATE_270
    stored = quarters().transpose(turned[orientation])
    path = save_heic(stored, tmp_path / "a.heic", exif=exif.tobytes())
    upright = decode_photo(path.read_bytes())
    assert upright.size == (60, 40)
    assert np.abs(np.asarray(upright, int) - quarters()).mean() < 8


def test_heic_under_another_name_is_read_as_what_it_is(tmp_path):
    path = save_heic(quarters(), tmp_path / "a.heic").rename(tmp_path / "a.jpg")
    assert read_photo(path, (8, 8)).shape == (8, 8, 3)


def test_heic_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path):
    content = save_heic(quarters(), tmp_path / "a.heic").read_bytes()
    place = content.index(b"ispe") + 8  # width and height, as the file tells them beforehand
    large = content[:place] + (30_000).to_bytes(4) * 2 + content[place + 8 :]
    with pytest.raises(TooLargeError, match="more than the 1 GB"):
        decode_photo(large)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_half_a_heic_is_damaged(tmp_path, share):
    content = save_heic(quarters(), tmp_path / "a.heic").read_bytes()
    with pytest.raises(DataError):
        decode_photo(content[: int(share * len(content))])


def test_without_pillow_heif_a_heic_names_the_way_out(no_heif):
    with pytest.raises(DataError) as caught:
        decode_photo(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    assert str(caught.value) == HEIC_WAY_OUT


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_avif_shows_what_was_photographed(tmp_path):
    quarters().save(tmp_path / "a.avif", quality=95)
    content = (tmp_path / "a.avif").read_bytes()
    assert np.abs(np.asarray(decode_photo(content), int) - quarters()).mean() < 8


def test_where_pillow_reads_no_avif_the_reason_says_so(monkeypatch):
    from PIL import AvifImagePlugin

    monkeypatch.setattr(AvifImagePlugin, "SUPPORTED", False)
    with pytest.raises(DataError, match="an AVIF photo, which this Pillow does not read: install"):
        decode_photo(b"\0\0\0\x1cftypavif\0\0\0\0mif1miafavif")


@pytest.mark.slow
def test_predict_names_unread_heic_photos_in_one_line(
    tmp_path, make_photos, make_model, call, no_heif, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    make_photos(tmp_path / "photos", 2)
    for number in range(5):
        (tmp_path / "photos" / f"{number}.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    model = make_model(tmp_path / "m.h5")
    result = call("predict", "photos", "--model", model, code=1)
    assert len(result.stdout.splitlines()) == 7
    assert result.stderr.splitlines()[-2:] == [
        "5 photos not read, photos/0.heic, photos/1.heic, photos/2.heic and 2 more: "
        + HEIC_WAY_OUT,
        "5 of 7 photos could not be read",
    ]


def test_evaluate_names_unread_heic_photos_in_one_line(
    tmp_path, class_folders, make_model, call, no_heif
):
    for number in range(5):
        path = class_folders / "validation" / "cats" / f"{number}.heic"
        path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    model = make_model(tmp_path / "m.h5")
    lines = call("evaluate", class_folders, "--model", model).stderr.splitlines()
    named = [line for line in lines if "HEIC" in line]
    assert len(named) == 1
    assert named[0].startswith("warning: 5 photos are not counted: ")
    assert named[0].endswith(f"2.heic and 2 more ({HEIC_WAY_OUT})")


@pytest.mark.slow
def test_train_stops_with_the_way_out_where_most_photos_are_heic(
    tmp_path, class_folders, call, no_heif, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for number in range(8):
        path = class_folders / "train" / "cats" / f"{number}.heic"
        path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes([number]))
    tiny = ["--set", "model.image_size=[32,32]", "--set", "model.weights=random"]
    result = call("train", "--epochs", "1", *tiny, code=1)
    assert result.stderr.splitlines()[-1].endswith(
        f"data.max_unreadable = 0.1 allows: 8 are of one kind, {HEIC_WAY_OUT}"
    )
