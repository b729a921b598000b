import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from catsdogs.data.framing import MEAN_COLOUR, fit_to, frame
from catsdogs.data.images import open_photo, read_photo
from catsdogs.data.walking import is_photo
from catsdogs.errors import DataError

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
ORIENTATION_TAG = 0x112

# EXIF's orientation to what turns an upright picture into one stored that way.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def quarters(height, width):
    """Red, green / blue, white."""
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = RED
    pixels[: height // 2, width // 2 :] = GREEN
    pixels[height // 2 :, : width // 2] = BLUE
    pixels[height // 2 :, width // 2 :] = WHITE
    return pixels


def noise(height=64, width=64):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)


def colours(path):
    """The colours of a picture of 4 x 4 pixels, row by row, each named once."""
    image = open_photo(path, (4, 4))
    assert (image.mode, image.size) == ("RGB", (4, 4))
    pixels = [tuple(pixel) for pixel in np.asarray(image).reshape(-1, 3).tolist()]
    return list(dict.fromkeys(pixels))


def reason(path):
    with pytest.raises(DataError) as caught:
        read_photo(path, (8, 8))
    return str(caught.value)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tiff"])
@pytest.mark.parametrize("orientation", STORED)
def test_every_exif_orientation_comes_out_upright(tmp_path, suffix, orientation):
    upright = quarters(16, 32)
    image = Image.fromarray(upright)
    if STORED[orientation] is not None:
        image = image.transpose(STORED[orientation])
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    path = tmp_path / f"turned{suffix}"
    exact = {".jpg": {"quality": 100, "subsampling": 0}, ".webp": {"lossless": True}}
    image.save(path, exif=exif, **exact.get(suffix, {}))
    pixels = read_photo(path, (16, 32))
    assert np.abs(pixels.astype(int) - upright).max() <= (4 if suffix == ".jpg" else 0)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".tiff", ".webp", ".PNG", ".TiF"])
def test_lossless_formats_come_out_exactly(tmp_path, suffix):
    path = tmp_path / f"photo{suffix}"
    noise().save(path, **({"lossless": True} if suffix == ".webp" else {}))
    assert np.array_equal(read_photo(path, (64, 64)), np.asarray(noise()))


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".JPG", ".Jpeg", ".gif"])
def test_other_formats_come_out_closely(tmp_path, suffix):
    path = tmp_path / f"photo{suffix}"
    Image.fromarray(quarters(64, 64)).save(path)
    error = np.abs(read_photo(path, (64, 64)).astype(int) - quarters(64, 64))
    assert error.mean() < 4


def test_content_decides_about_the_format_not_the_suffix(tmp_path):
    path = tmp_path / "really_a_png.jpg"
    noise().save(path, "PNG")
    assert np.array_equal(read_photo(path, (64, 64)), np.asarray(noise()))


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk_becomes_rgb(tmp_path, suffix):
    path = tmp_path / f"print{suffix}"
    Image.new("CMYK", (4, 4), (0, 255, 255, 0)).save(path)
    assert np.abs(read_photo(path, (4, 4)).astype(int) - RED).max() <= 3


def test_palette_becomes_rgb(tmp_path):
    path = tmp_path / "palette.png"
    image = Image.new("P", (4, 4))
    image.putpalette([*RED, *GREEN])
    image.putpixel((1, 0), 1)
    image.save(path)
    assert colours(path) == [RED, GREEN]


@pytest.mark.parametrize(
    ("suffix", "transparency", "expected"),
    [
        (".png", 1, [RED, WHITE]),
        (".gif", 1, [RED, WHITE]),
        (".png", b"\xff\x00", [RED, WHITE]),
        (".png", b"\x80\x00", [(255, 127, 127), WHITE]),
    ],
)
def test_transparent_palette_lies_over_white(tmp_path, suffix, transparency, expected):
    path = tmp_path / f"palette{suffix}"
    image = Image.new("P", (4, 4))
    image.putpalette([*RED, *GREEN])
    image.putpixel((1, 0), 1)
    image.save(path, transparency=transparency)
    assert colours(path) == expected


@pytest.mark.parametrize(
    ("mode", "value", "expected"),
    [
        ("RGBA", (255, 0, 0, 255), RED),
        ("RGBA", (255, 0, 0, 0), WHITE),
        ("RGBA", (0, 0, 255, 51), (204, 204, 255)),
        ("LA", (100, 255), (100, 100, 100)),
        ("LA", (0, 51), (204, 204, 204)),
    ],
)
def test_transparency_lies_over_white(tmp_path, mode, value, expected):
    path = tmp_path / "glass.png"
    Image.new(mode, (4, 4), value).save(path)
    assert colours(path) == [expected]


def test_transparent_colour_of_an_rgb_png_lies_over_white(tmp_path):
    path = tmp_path / "chroma_key.png"
    image = Image.new("RGB", (4, 4), RED)
    image.putpixel((1, 0), BLUE)
    image.save(path, transparency=BLUE)
    assert colours(path) == [RED, WHITE]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_grey_keeps_its_high_byte(tmp_path, suffix):
    path = tmp_path / f"grey{suffix}"
    values = np.array([[0, 255, 256, 40000], [65535] * 4, [0] * 4, [0] * 4], np.uint16)
    Image.fromarray(values).save(path)
    levels = [0, 1, 156, 255]
    assert colours(path) == [(level, level, level) for level in levels]


def test_16_bit_grey_with_a_transparent_level_keeps_its_high_byte(tmp_path):
    path = tmp_path / "grey.png"
    Image.fromarray(np.full((4, 4), 40000, np.uint16)).save(path, transparency=7)
    assert colours(path) == [(156, 156, 156)]


def test_32_bit_grey_is_16_bits_in_a_larger_container(tmp_path):
    path = tmp_path / "grey.tif"
    Image.fromarray(np.full((4, 4), 40000, np.int32)).save(path)
    assert colours(path) == [(156, 156, 156)]


@pytest.mark.parametrize(
    ("value", "level"),
    [(0.5, 128), (1.0, 255), (200.7, 201), (300.0, 75), (30000.0, 117), (-5.0, 0)],
)
def test_even_floating_point_is_shown_in_the_smallest_usual_range(tmp_path, value, level):
    path = tmp_path / "float.tif"
    Image.fromarray(np.full((4, 4), value, np.float32)).save(path)
    assert colours(path) == [(level, level, level)]


def test_not_a_number_is_black(tmp_path):
    path = tmp_path / "float.tif"
    values = np.full((4, 4), 1.0, np.float32)
    values[0, 0] = np.nan
    Image.fromarray(values).save(path)
    assert colours(path) == [(0, 0, 0), WHITE]


def test_absurd_floating_point_is_clipped_without_a_warning(tmp_path):
    path = tmp_path / "float.tif"
    values = np.full((4, 4), -3e38, np.float32)
    values[0, 0] = 1.0
    Image.fromarray(values).save(path)
    assert colours(path) == [WHITE, (0, 0, 0)]


def test_one_bit_is_black_and_white(tmp_path):
    path = tmp_path / "fax.png"
    image = Image.new("1", (4, 4), 1)
    image.putpixel((0, 0), 0)
    image.save(path)
    assert colours(path) == [(0, 0, 0), WHITE]


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_animation_shows_its_first_frame(tmp_path, suffix):
    path = tmp_path / f"moving{suffix}"
    exact = {"lossless": True} if suffix == ".webp" else {}
    frames = [Image.new("RGB", (4, 4), colour) for colour in (BLUE, RED)]
    frames[0].save(path, save_all=True, append_images=frames[1:], **exact)
    assert colours(path) == [BLUE]


def test_jpeg_is_decoded_no_smaller_than_needed(tmp_path):
    path = tmp_path / "large.jpg"
    Image.new("RGB", (800, 400), RED).save(path)
    sizes = [(50, 100), (51, 100), (100, 10), (200, 400), (201, 1), (400, 800), (900, 900)]
    decoded = [open_photo(path, size).size for size in sizes]
    assert decoded == [
        (100, 50),
        (200, 100),
        (200, 100),
        (400, 200),
        (800, 400),
        (800, 400),
        (800, 400),
    ]


def test_turned_jpeg_is_decoded_no_smaller_than_needed(tmp_path):
    path = tmp_path / "upright.jpg"
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = 6
    Image.new("RGB", (800, 400), RED).save(path, exif=exif)
    assert open_photo(path, (800, 400)).size == (400, 800)
    assert open_photo(path, (100, 200)).size == (200, 400)


def test_read_photo_has_height_width_and_colours(tmp_path, make_photos):
    (path,) = make_photos(tmp_path, 1, size=(24, 32))
    pixels = read_photo(path, (8, 16))
    assert (pixels.shape, pixels.dtype) == ((8, 16, 3), np.uint8)


def test_photo_is_stretched_to_the_size(tmp_path):
    path = tmp_path / "wide.png"
    Image.fromarray(quarters(40, 80)).save(path)
    corners = read_photo(path, (16, 8))[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.tolist() == [list(colour) for colour in (RED, GREEN, BLUE, WHITE)]


def test_shrinking_averages():
    checkers = np.indices((64, 64)).sum(axis=0) % 2 * 255
    image = Image.fromarray(checkers.astype(np.uint8)).convert("RGB")
    assert np.abs(fit_to(image, (8, 8)).astype(int) - 127).max() <= 4


@pytest.mark.parametrize("name", ["a.jpg", "b.JPEG", "c.Png", "d.e.webp", "f.TIF", "g.gif"])
def test_photos_are_known_by_their_suffix_in_any_case(name):
    assert is_photo(Path("folder") / name)


@pytest.mark.parametrize("name", [".hidden.jpg", ".jpg", "jpg", "a.txt", "a.jpg.part", "a.jpg~"])
def test_hidden_and_other_files_are_no_photos(name):
    assert not is_photo(Path("folder") / name)


def test_missing_file_says_so(tmp_path):
    assert reason(tmp_path / "nowhere.jpg") == "no such file or directory"


def test_folder_named_like_a_photo_says_so(tmp_path):
    assert reason(tmp_path) == "is a directory"


@pytest.mark.parametrize("content", [b"", b"this is text, not a picture", b"\xff\xd8\xff"])
def test_file_that_is_no_picture_says_so(tmp_path, content):
    path = tmp_path / "cat.jpg"
    path.write_bytes(content)
    assert reason(path) == "not a picture, or damaged at its start"


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".gif", ".bmp", ".tif"])
def test_truncated_file_says_so(tmp_path, suffix):
    path = tmp_path / f"half{suffix}"
    noise().save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert reason(path).startswith("damaged: image file is truncated")


def test_truncated_webp_is_damaged(tmp_path):
    path = tmp_path / "half.webp"
    noise().save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert reason(path).startswith("damaged: ")


def test_flipped_bits_in_a_png_are_noticed(tmp_path):
    path = tmp_path / "bits.png"
    noise().save(path)
    content = bytearray(path.read_bytes())
    content[200] ^= 255
    path.write_bytes(content)
    assert reason(path) == "damaged: broken data stream when reading image file"


def test_damaged_exif_neither_stops_nor_warns(tmp_path):
    whole, path = tmp_path / "whole.jpg", tmp_path / "damaged_exif.jpg"
    noise().save(whole)
    noise().save(path, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01\x12")
    code = (
        "import sys; from pathlib import Path; from catsdogs.data.images import read_photo;"
        "one, other = (read_photo(Path(p), (64, 64)) for p in sys.argv[1:]);"
        "print((one == other).all())"
    )
    command = [sys.executable, "-W", "error", "-c", code, str(whole), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_too_many_pixels_are_refused_before_decoding(tmp_path):
    path = tmp_path / "bomb.png"
    parts = [(b"IHDR", struct.pack(">IIBBBBB", 20000, 20000, 8, 2, 0, 0, 0)), (b"IDAT", b"")]
    chunks = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    ]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    message = (
        "20000 x 20000 pixels would take 1.6 GB of memory, more than the 1 GB that a photo may"
    )
    assert reason(path) == message


def striped():
    """A wide photo: its left and right quarters red and blue, green between."""
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:, :10, 0] = pixels[:, 10:30, 1] = pixels[:, 30:, 2] = 200
    return Image.fromarray(pixels)


@pytest.mark.parametrize("turned", [False, True])
def test_crop_takes_the_centre_as_large_as_it_goes(turned):
    image = striped().transpose(Image.Transpose.ROTATE_90) if turned else striped()
    pixels = fit_to(image, (10, 10), "crop")
    assert pixels.shape == (10, 10, 3)
    assert np.unique(pixels.reshape(-1, 3), axis=0).tolist() == [[0, 200, 0]]


@pytest.mark.parametrize("turned", [False, True])
def test_pad_shows_the_whole_photo_in_its_own_shape(turned):
    pixels = fit_to(striped(), (40, 40), "pad")
    if turned:
        image = striped().transpose(Image.Transpose.ROTATE_90)
        pixels = np.rot90(fit_to(image, (40, 40), "pad"), -1)
    assert (pixels[[5, 34]] == MEAN_COLOUR).all()
    np.testing.assert_array_equal(pixels[10:30], np.asarray(striped()))


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_photo_of_the_right_shape_is_the_same_however_it_is_fitted(fit):
    np.testing.assert_array_equal(fit_to(striped(), (10, 20), fit), fit_to(striped(), (10, 20)))


@pytest.mark.parametrize("fit", ["crop", "pad"])
@pytest.mark.parametrize("shape", [(1, 30_000), (30_000, 1), (1, 1), (3, 2)])
def test_any_shape_fits_without_filling_the_memory(fit, shape):
    image = Image.new("RGB", shape, (200, 90, 60))
    assert fit_to(image, (24, 16), fit).shape == (24, 16, 3)
    framed = frame(image, (24, 16), fit)
    assert framed.width * framed.height < 100_000
