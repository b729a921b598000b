import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from catsdogs.config import AugmentConfig
from catsdogs.data.contents import hash_content
from catsdogs.data.framing import fit_to
from catsdogs.data.images import read_photo
from catsdogs.data.samples import Sample
from catsdogs.data.views import ViewReader, ViewTransform, apply_transform, draw_transform
from catsdogs.errors import DataError

BOUNDS = AugmentConfig(
    flip=True, rotation_degrees=15, shift=0.08, shear_degrees=5, zoom=0.15, brightness=0.15
)
NOTHING = AugmentConfig(
    flip=False, rotation_degrees=0, shift=0, shear_degrees=0, zoom=0, brightness=0
)
IDENTITY = ViewTransform(False, 0.0, 0.0, 1.0, (0.0, 0.0), 1.0)
QUARTER_TURN = replace(IDENTITY, rotation=math.pi / 2)
OUTSIDE = (124, 116, 104)
HASH = b"0123456789abcdef"


def smooth_photo(height=300, width=400):
    """No two places alike, and no detail that two ways of shrinking would treat differently."""
    y, x = np.mgrid[0:height, 0:width]
    waves = 127 + 100 * np.sin(x / 40) * np.cos(y / 30)
    pixels = np.stack([x * 255 / (width - 1), y * 255 / (height - 1), waves], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))


def where_dot_goes(at, size, transform, photo_size=None):
    """Row and column, in the view, of a white 3 x 3 dot around `at` in the photo."""
    row, column = at
    pixels = np.full((*(photo_size or size), 3), OUTSIDE, np.uint8)
    pixels[row - 1 : row + 2, column - 1 : column + 2] = 255
    view = apply_transform(Image.fromarray(pixels), size, transform).astype(float)
    weights = view[..., 0] - OUTSIDE[0]
    rows, columns = np.indices(size)
    return (weights * rows).sum() / weights.sum(), (weights * columns).sum() / weights.sum()


def worst_and_mean_error(view, expected):
    error = np.abs(view.astype(int) - expected.astype(int))
    return error.max(), error.mean()


def test_draw_is_the_same_on_every_machine():
    assert draw_transform(BOUNDS, 0, HASH, 1) == ViewTransform(
        mirrored=True,
        rotation=-0.0016145851456502232,
        shear=0.008993366871587936,
        zoom=1.120744725693088,
        shift=(-0.008077524136758827, 0.052116553341646804),
        brightness=0.9453115451192233,
    )
    assert draw_transform(BOUNDS, 0, HASH, 2) == ViewTransform(
        mirrored=False,
        rotation=0.10695247864561236,
        shear=0.07274499756995793,
        zoom=1.06377855183508,
        shift=(0.004124045120081021, 0.0737379742391657),
        brightness=1.0579275800934338,
    )


def test_draw_depends_on_seed_number_and_photo():
    draws = [
        draw_transform(BOUNDS, 0, HASH, 1),
        draw_transform(BOUNDS, 1, HASH, 1),
        draw_transform(BOUNDS, 0, HASH, 2),
        draw_transform(BOUNDS, 0, HASH[::-1], 1),
    ]
    assert len(set(draws)) == 4


def test_draws_fill_the_bounds_evenly_and_keep_within():
    draws = [draw_transform(BOUNDS, 0, HASH, number) for number in range(1, 2001)]
    figures = np.array(
        [
            (
                math.degrees(draw.rotation) / 15,
                math.degrees(draw.shear) / 5,
                (draw.zoom - 1) / 0.15,
                draw.shift[0] / 0.08,
                draw.shift[1] / 0.08,
                (draw.brightness - 1) / 0.15,
            )
            for draw in draws
        ]
    )  # (2000, 6), -1 to 1
    assert np.abs(figures).max() <= 1 + 1e-12
    for column in figures.T:
        counts, _ = np.histogram(column, bins=10, range=(-1, 1))
        assert counts.min() > 140
        assert counts.max() < 260
    assert np.abs(np.corrcoef(figures.T) - np.eye(6)).max() < 0.1
    assert 900 < sum(draw.mirrored for draw in draws) < 1100


def test_without_flip_nothing_is_mirrored():
    augment = BOUNDS.model_copy(update={"flip": False})
    assert not any(draw_transform(augment, 0, HASH, number).mirrored for number in range(100))


def test_bounds_of_zero_draw_the_identity():
    assert draw_transform(NOTHING, 0, HASH, 1) == IDENTITY


@pytest.mark.parametrize("size", [(100, 100), (64, 96), (90, 110), (300, 400), (400, 500)])
def test_identity_is_close_to_the_plain_photo(size):
    view = apply_transform(smooth_photo(), size, IDENTITY)
    assert (view.shape, view.dtype) == ((*size, 3), np.uint8)
    worst, mean = worst_and_mean_error(view, fit_to(smooth_photo(), size))
    assert worst <= 6
    assert mean < 1


@pytest.mark.parametrize("size", [(100, 100), (64, 96), (90, 110), (300, 400)])
def test_mirror_is_close_to_the_flipped_photo(size):
    view = apply_transform(smooth_photo(), size, replace(IDENTITY, mirrored=True))
    worst, mean = worst_and_mean_error(view, fit_to(smooth_photo(), size)[:, ::-1])
    assert worst <= 6
    assert mean < 1


def test_large_photos_are_averaged_not_sampled():
    checkers = np.indices((400, 400)).sum(axis=0) % 2 * 255
    photo = Image.fromarray(checkers.astype(np.uint8)).convert("RGB")
    view = apply_transform(photo, (20, 20), replace(IDENTITY, rotation=0.1))
    assert np.abs(view[5:15, 5:15].astype(int) - 127).max() <= 4


@pytest.mark.parametrize(
    ("size", "at", "to"),
    [
        ((41, 41), (10, 20), (20, 30)),
        ((41, 41), (20, 30), (30, 20)),
        ((40, 80), (10, 40), (20, 49)),
        ((80, 40), (40, 30), (50, 19)),
    ],
)
def test_quarter_turn_goes_clockwise(size, at, to):
    assert where_dot_goes(at, size, QUARTER_TURN) == pytest.approx(to, abs=0.1)


def test_rotation_goes_clockwise_by_its_angle():
    row, column = where_dot_goes((10, 40), (41, 81), replace(IDENTITY, rotation=math.radians(30)))
    to = (20 - 10 * math.cos(math.radians(30)), 40 + 10 * math.sin(math.radians(30)))
    assert (row, column) == pytest.approx(to, abs=0.3)


@pytest.mark.parametrize(
    ("photo_size", "at", "size", "to"),
    [
        ((41, 123), (10, 61), (41, 41), (20, 30)),
        ((123, 123), (31, 61), (41, 41), (20, 30)),
        ((82, 82), (20, 41), (41, 81), (20, 50)),
    ],
)
def test_rotation_turns_the_photo_as_it_is_shown(photo_size, at, size, to):
    assert where_dot_goes(at, size, QUARTER_TURN, photo_size) == pytest.approx(to, abs=0.6)


@pytest.mark.parametrize(
    ("shift", "to"), [((0.25, 0), (15, 40)), ((-0.1, 0), (15, 12)), ((0, 0.25), (25, 20))]
)
def test_shift_goes_right_and_down_by_shares_of_the_view(shift, to):
    assert where_dot_goes((15, 20), (40, 80), replace(IDENTITY, shift=shift)) == pytest.approx(to)


def test_shift_counts_in_pixels_of_the_view_for_larger_photos():
    transform = replace(IDENTITY, shift=(0.25, -0.1))
    to = where_dot_goes((31, 61), (41, 41), transform, photo_size=(123, 123))
    assert to == pytest.approx((10 - 4.1, 20 + 10.25), abs=0.1)


def test_what_lies_outside_has_the_mean_colour_of_imagenet():
    photo = Image.new("RGB", (40, 40), (255, 255, 255))
    view = apply_transform(photo, (40, 40), replace(IDENTITY, shift=(0.5, 0)))
    assert (view[:, :20] == OUTSIDE).all()
    assert (view[:, 20:] == 255).all()


@pytest.mark.parametrize(("zoom", "to"), [(1.5, (12.5, 27.5)), (0.5, (17.5, 22.5))])
def test_zoom_above_1_enlarges_about_the_centre(zoom, to):
    transform = replace(IDENTITY, zoom=zoom)
    assert where_dot_goes((15, 25), (41, 41), transform) == pytest.approx(to, abs=0.05)


def test_zoom_below_1_shows_the_outside_all_around():
    photo = Image.new("RGB", (40, 40), (255, 255, 255))
    inside = (apply_transform(photo, (40, 40), replace(IDENTITY, zoom=0.5)) == 255).all(axis=-1)
    expected = np.zeros((40, 40), bool)
    expected[10:30, 10:30] = True
    assert np.array_equal(inside, expected)


def test_shear_leans_upright_lines_and_keeps_level_ones():
    transform = replace(IDENTITY, shear=math.atan(0.5))
    moved = [where_dot_goes(at, (41, 41), transform) for at in [(10, 20), (20, 20), (30, 20)]]
    assert moved == [pytest.approx(to, abs=0.05) for to in [(10, 25), (20, 20), (30, 15)]]


def test_brightness_multiplies_and_clips():
    photo = Image.new("RGB", (4, 4), (10, 100, 200))
    bright = apply_transform(photo, (2, 2), replace(IDENTITY, brightness=1.5))
    dark = apply_transform(photo, (2, 2), replace(IDENTITY, brightness=0.5))
    assert (bright == (15, 150, 255)).all()
    assert (dark == (5, 50, 100)).all()


def view_of(path, number, size=(16, 16), augment=BOUNDS, seed=0):
    sample = Sample(path, 0, hash_content(path.read_bytes()))
    return ViewReader(size, augment, seed).read(sample, number)


def test_view_0_is_the_photo_itself(tmp_path, make_photos):
    (path,) = make_photos(tmp_path, 1)
    view = view_of(path, 0)
    assert np.array_equal(view, read_photo(path, (16, 16)))


def test_views_of_a_cropped_photo_show_its_centre(tmp_path):
    pixels = np.zeros((24, 72, 3), np.uint8)
    pixels[:, 24:48] = (10, 200, 30)
    path = tmp_path / "wide.png"
    Image.fromarray(pixels).save(path)
    sample = Sample(path, 0, hash_content(path.read_bytes()))
    augment = AugmentConfig(rotation_degrees=0, shear_degrees=0, zoom=0, shift=0, brightness=0)
    reader = ViewReader((12, 12), augment, 0, "crop")
    for number in (0, 1):
        assert np.unique(reader.read(sample, number).reshape(-1, 3), axis=0).tolist() == [
            [10, 200, 30]
        ]


def test_same_arguments_give_the_same_pixels(tmp_path, make_photos):
    (path,) = make_photos(tmp_path, 1)
    views = [view_of(path, 1) for _ in range(2)]
    assert np.array_equal(*views)


def test_seed_number_and_photo_give_other_pixels(tmp_path, make_photos):
    (path,) = make_photos(tmp_path, 1)
    views = [
        view_of(path, 0),
        view_of(path, 1),
        view_of(path, 2),
        view_of(path, 1, seed=1),
    ]
    path.write_bytes(path.read_bytes() + b"another content, the same pixels")
    views.append(view_of(path, 1))
    assert len({view.tobytes() for view in views}) == 5


def test_bounds_of_zero_make_all_views_alike(tmp_path, make_photos):
    (path,) = make_photos(tmp_path, 1)
    views = [view_of(path, number, (24, 32), NOTHING) for number in range(4)]
    assert len({view.tobytes() for view in views}) == 1


def test_flip_alone_gives_the_photo_and_its_mirror_image(tmp_path, make_photos):
    (path,) = make_photos(tmp_path, 1)
    augment = NOTHING.model_copy(update={"flip": True})
    views = {view_of(path, n, (24, 32), augment).tobytes() for n in range(1, 20)}
    photo = read_photo(path, (24, 32))
    assert views == {photo.tobytes(), photo[:, ::-1].tobytes()}


def test_photo_that_changed_since_it_was_hashed_is_refused(tmp_path, make_photos):
    path, other = make_photos(tmp_path, 2)
    content_hash = hash_content(path.read_bytes())
    path.write_bytes(other.read_bytes())
    with pytest.raises(DataError) as caught:
        ViewReader((16, 16), BOUNDS, seed=0).read(Sample(path, 0, content_hash), 0)
    assert str(caught.value) == "changed while it was read"


@pytest.mark.parametrize("number", [0, 1])
def test_photos_of_one_colour_are_told_apart(tmp_path, make_photos, number):
    (noise,) = make_photos(tmp_path, 1)
    even = tmp_path / "even.png"
    Image.new("RGB", (30, 40), (200, 90, 60)).save(even)
    views = ViewReader((16, 16), BOUNDS, seed=0)
    for path in (noise, even):
        views.read(Sample(path, 0, hash_content(path.read_bytes())), number)
    assert views.flat == {even}
