import numpy as np
import pytest
from PIL import Image

from catsdogs.reporting.overlay import draw_explanation, overlay

PHOTO = Image.fromarray(np.full((60, 80, 3), (200, 100, 50), np.uint8))
GREY = PHOTO.convert("L").getpixel((0, 0))


def heat_in_a_corner():
    heat = np.zeros((6, 8), np.float32)
    heat[:2, :2] = 1
    return heat


def test_without_heat_the_photo_is_grey():
    pixels = np.asarray(overlay(PHOTO, np.zeros((3, 4), np.float32)))
    np.testing.assert_array_equal(pixels, np.full((60, 80, 3), GREY))


def test_heat_colours_the_place_that_it_lies_on():
    pixels = np.asarray(overlay(PHOTO, heat_in_a_corner())).astype(int)
    coloured = np.ptp(pixels, axis=2) > 40  # differs between the channels
    assert coloured[:15, :15].all()
    assert not coloured[40:].any()
    assert not coloured[:, 50:].any()


@pytest.mark.parametrize(
    ("size", "shown"),
    [((80, 60), (512, 384)), ((60, 80), (384, 512)), ((4000, 10), (512, 1)), ((1, 1), (512, 512))],
)
def test_photo_and_heat_stand_side_by_side_at_any_size(size, shown):
    photo = Image.new("RGB", size, (10, 200, 30))
    picture = draw_explanation(photo, heat_in_a_corner(), "cats 0.9876")
    width, height = shown
    assert picture.height == 44 + height + 12
    assert picture.width == 2 * max(width, 256) + 36
    left = np.asarray(picture.crop((12, 44, 12 + width, 44 + height)))
    np.testing.assert_array_equal(left, np.broadcast_to((10, 200, 30), left.shape))
    right = np.asarray(picture.crop((picture.width - 12 - width, 44, picture.width - 12, 45)))
    assert not np.array_equal(right, np.broadcast_to((255, 255, 255), right.shape))


def test_a_long_title_is_cut_off_and_a_hostile_one_is_written_out():
    plain, long, hostile = (
        np.asarray(draw_explanation(PHOTO, heat_in_a_corner(), title))
        for title in ("c", "c" * 500, "c\nc\x1b[2J")
    )
    assert plain.shape == long.shape == hostile.shape
    assert (long[:, -12:] == 255).all()
    assert (long[12:44] < 128).sum() > (plain[12:44] < 128).sum()
