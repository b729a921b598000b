"""Photos that are odd, and photos that are traps: deep greys, damaged metadata, bombs, giants."""

import io
import struct
import subprocess
import sys
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from catsdogs.data.contents import TooLargeError
from catsdogs.data.framing import fit_to
from catsdogs.data.images import decode_photo, is_flat, read_header
from catsdogs.errors import DataError

SIZE = (24, 32)


def drawn():
    """Grey values 0 to 255, all of them, `(48, 64)`."""
    y, x = np.mgrid[0:48, 0:64]
    return np.uint8(np.clip(2 * x + 2.7 * y, 0, 255))


def saved(array, format_name, **options):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format_name, **options)
    return buffer.getvalue()


def pixels(content, size=SIZE):
    return fit_to(decode_photo(content, size), size).astype(int)


def tiff(array, bits, sample_format, order="<", tags=()):
    """An uncompressed TIFF, as a microscope writes it."""
    data = array.astype(array.dtype.newbyteorder(order)).tobytes()
    entries = {
        256: (4, array.shape[1]),
        257: (4, array.shape[0]),
        258: (3, bits),
        259: (3, 1),
        262: (3, 1),
        273: (4, 0),
        277: (3, 1),
        278: (4, array.shape[0]),
        279: (4, len(data)),
        339: (3, sample_format),
    } | dict(tags)
    start = 8 + 2 + 12 * len(entries) + 4
    entries[273] = (4, start)
    body = b""
    for tag, (kind, value) in sorted(entries.items()):
        packed = struct.pack(order + {3: "H", 4: "I", 11: "f"}[kind], value).ljust(4, b"\0")
        body += struct.pack(order + "HHI", tag, kind, 1) + packed
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HIH", 42, 8, len(entries))
    return head + body + bytes(4) + data


def run_on(content, code):
    """What a program prints that gets a photo on its standard input."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, input=content, capture_output=True, check=False)
    return done.stdout.decode() + done.stderr.decode()


PLAIN = fit_to(Image.fromarray(drawn()).convert("RGB"), SIZE).astype(int)


@pytest.mark.parametrize("factor", [1, 4, 16, 64, 257])
@pytest.mark.parametrize("format_name", ["PNG", "TIFF"])
def test_16_bits_look_like_8_whatever_range_they_use(factor, format_name):
    content = saved(drawn().astype(np.uint16) * factor, format_name)
    assert np.abs(pixels(content) - PLAIN).max() <= 2


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("values", "bits", "sample_format"),
    [
        (lambda grey: grey.astype("u2") * 16, 16, 1),
        (lambda grey: grey.astype("u4") * 16_843_009, 32, 1),
        (lambda grey: grey.astype("u4") * 16, 32, 1),
        (lambda grey: grey.astype("i4") * 100 - 9000, 32, 2),
        (lambda grey: grey.astype("i2") * 8 - 1024, 16, 2),
        (lambda grey: grey.astype("f4") / 255, 32, 3),
        (lambda grey: grey.astype("f4") * 1e-6, 32, 3),
        (lambda grey: grey.astype("f4") * 40 - 3000, 32, 3),
    ],
)
def test_other_containers_show_the_same_picture(order, values, bits, sample_format):
    content = tiff(values(drawn()), bits, sample_format, order)
    assert np.abs(pixels(content) - PLAIN).max() <= 8


def test_the_range_that_a_file_declares_is_taken():
    dim = drawn().astype("u2")  # 0 to 255 of 0 to 1000
    content = tiff(dim, 16, 1, tags={281: (3, 1000)})
    assert np.abs(pixels(content) - PLAIN * 255 / 1000).max() <= 1
    png = saved(dim, "PNG")
    chunk = b"sBIT" + b"\x0a"
    chunk = struct.pack(">I", 1) + chunk + struct.pack(">I", zlib.crc32(chunk))
    assert np.abs(pixels(png[:33] + chunk + png[33:]) - PLAIN / 4.01).max() <= 1
    wrong = tiff(dim * 100, 16, 1, tags={281: (3, 255)})  # the values are beyond it
    assert np.ptp(pixels(wrong)) > 90


def test_white_may_be_zero():
    content = tiff(drawn().astype("u2") * 16, 16, 1, tags={262: (3, 0)})
    assert np.abs(255 - pixels(content) - PLAIN).max() <= 2


def test_a_hot_pixel_does_not_make_a_photo_black():
    values = drawn().astype("u2")
    values[0, 0] = 65535
    assert np.ptp(pixels(tiff(values, 16, 1))) > 200


def test_photos_of_nearly_one_value_are_told_from_others():
    noise = np.random.default_rng(0).integers(1000, 1004, (48, 64)).astype("u2")
    assert is_flat(pixels(tiff(noise, 16, 1)).astype(np.uint8))
    assert is_flat(np.full((24, 32, 3), (200, 90, 60), np.uint8))
    assert not is_flat(PLAIN.astype(np.uint8))


# --- metadata ------------------------------------------------------------------------------


def photo():
    return Image.fromarray(np.stack([drawn(), drawn()[::-1], drawn()[:, ::-1]], axis=2))


def jpeg(**options):
    buffer = io.BytesIO()
    photo().save(buffer, "JPEG", quality=92, **options)
    return buffer.getvalue()


def with_segment(content, marker, body):
    return (
        content[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body + content[2:]
    )


def entry(tag, kind, count, value):
    return struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0")


def exif_block(*entries):
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + b"".join(entries) + bytes(4)


def png_with(name, body):
    buffer = io.BytesIO()
    photo().save(buffer, "PNG")
    chunk = struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    return buffer.getvalue()[:33] + chunk + buffer.getvalue()[33:]


def webp_with(exif):
    buffer = io.BytesIO()
    photo().save(buffer, "WEBP", lossless=True, exif=exif)
    return buffer.getvalue()


BLOCKS = {
    "text": exif_block(entry(0x112, 2, 4, b"top\0")),
    "bytes": exif_block(entry(0x112, 7, 4, b"\1\0\0\0")),
    "two": exif_block(entry(0x112, 3, 2, b"\1\0\6\0")),
    "zero": exif_block(entry(0x112, 3, 1, b"\0\0")),
    "ratio": exif_block(entry(0x112, 5, 1, struct.pack("<I", 2**31))),
    "far": exif_block(entry(0x112, 4, 2**31, struct.pack("<I", 2**32 - 1))),
    "cut": exif_block(entry(0x112, 3, 1, b"\6\0"))[:17],
    "type": exif_block(entry(0x112, 99, 1, b"\6\0")),
    "nothing": b"",
    "no block": b"no TIFF block",
    "short": b"II*\0",
    "inner": exif_block(entry(0x8769, 2, 4, b"abcd"), entry(0x8825, 3, 1, b"\1\0")),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_metadata_never_costs_a_photo_whose_pixels_are_good(name):
    block = BLOCKS[name]
    whole = np.asarray(photo().resize(SIZE[::-1], Image.Resampling.BILINEAR)).astype(int)
    for content in (
        with_segment(jpeg(), 0xE1, b"Exif\0\0" + block),
        png_with(b"eXIf", block),
        webp_with(b"Exif\0\0" + block),
    ):
        assert np.abs(pixels(content) - whole).mean() < 6
        assert read_header(content).width == 64


@pytest.mark.parametrize("compression", ["raw", "tiff_deflate"])
@pytest.mark.parametrize(
    "odd",
    [
        entry(0x112, 2, 4, b"top\0"),
        entry(0x112, 7, 4, b"\1\0\0\0"),
        entry(0x8769, 4, 1, struct.pack("<I", 2**32 - 1)),
        entry(0x8769, 2, 4, b"abcd"),
        entry(0x8825, 7, 4, b"abcd"),
        entry(0x9286, 12, 2**30, struct.pack("<I", 7)),
        entry(0x11A, 2, 4, b"abc\0"),
    ],
)
def test_odd_entries_of_a_tiff_do_not_matter(compression, odd):
    buffer = io.BytesIO()
    photo().save(buffer, "TIFF", compression=compression)
    content = buffer.getvalue()
    start = struct.unpack_from("<I", content, 4)[0]
    count = struct.unpack_from("<H", content, start)[0]
    entries = [content[start + 2 + 12 * n :][:12] for n in range(count)]
    entries = sorted([*entries, odd], key=lambda e: struct.unpack_from("<H", e)[0])
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    changed = content[:4] + struct.pack("<I", len(content)) + content[8:] + directory
    assert np.array_equal(pixels(changed), pixels(content))


@pytest.mark.parametrize(
    ("marker", "body"),
    [
        (0xE2, b"MPF\0" + b"II*\0" + struct.pack("<I", 2**31)),
        (0xE2, b"ICC_PROFILE\0\1\1" + bytes(9)),
        (0xED, b"Photoshop 3.0\0008BIM" + b"\4\4\xff\xff"),
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation='x'>"),
        (0xE0, b"JFIF\0\1"),
    ],
)
def test_odd_segments_of_a_jpeg_do_not_matter(marker, body):
    assert np.abs(pixels(with_segment(jpeg(), marker, body)) - pixels(jpeg())).max() == 0


def test_text_that_is_a_bomb_is_passed_over():
    body = b"note\0\0" + zlib.compress(bytes(200_000_000), 9)
    assert np.array_equal(pixels(png_with(b"zTXt", body)), pixels(png_with(b"pHYs", bytes(3))))


def test_entries_that_share_their_bytes_claim_no_memory():
    entries = [entry(tag, 7, 60_000, struct.pack("<I", 8)) for tag in range(1, 4000)]
    block = exif_block(*entries) + bytes(60_000)
    content = png_with(b"eXIf", block)
    tracemalloc.start()
    decode_photo(content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000_000


# --- what takes minutes or gigabytes -------------------------------------------------------


def refusal(content):
    with pytest.raises(DataError) as caught:
        decode_photo(content, (32, 32))
    return str(caught.value)


@pytest.mark.parametrize("frame", [0xC0, 0xC1, 0xC2, 0xC9])
@pytest.mark.parametrize("fill", [b"", b"\xff\xff", b"junk"])
def test_jpegs_of_thousands_of_scans_are_refused_however_they_are_spelled(frame, fill):
    head = struct.pack(">BHHB", 8, 9900, 9900, 3) + b"\1\x11\0\2\x11\0\3\x11\0"
    parts = [b"\xff\xd8", with_segment(b"\xff\xd8", frame, head)[2:]]
    scan = fill + b"\xff\xda" + struct.pack(">H", 8) + b"\1\1\0\0\x3f\0"
    content = b"".join(parts) + scan * 3000 + b"\xff\xd9"
    assert refusal(content) == "3,000 scans of 9900 x 9900 pixels would take minutes to decode"


def test_a_film_behind_a_jpeg_is_not_taken_for_scans():
    content = jpeg() + b"\xff\xda" * 10_000_000
    assert np.array_equal(pixels(content), pixels(jpeg()))


@pytest.mark.parametrize("shape", [(24_000, 24_000), (2**20, 800), (800, 2**20)])
def test_what_a_tiff_unpacks_counts_and_not_what_it_shows(shape):
    tags = {322: (4, shape[0]), 323: (4, shape[1]), 324: (4, 8), 325: (4, 9), 277: (3, 3)}
    content = tiff(np.zeros((1, 1), "u1"), 8, 1, tags=tags)
    assert "1 x 1 pixels would take" in refusal(content)


@pytest.mark.parametrize(("width", "height"), [(12_000, 9_000), (16_320, 12_240)])
def test_jpegs_of_108_and_200_megapixels_are_answered(width, height):
    buffer = io.BytesIO()
    Image.new("L", (width, height), 200).save(buffer, "JPEG")
    image = decode_photo(buffer.getvalue(), (224, 224))
    assert image.size == (-(-width // 8), -(-height // 8))
    assert image.getpixel((5, 5)) == (200, 200, 200)


def test_the_limit_is_memory():
    def png(width, height, colour_type):
        head = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
        chunk = (
            struct.pack(">I", 13) + b"IHDR" + head + struct.pack(">I", zlib.crc32(b"IHDR" + head))
        )
        return b"\x89PNG\r\n\x1a\n" + chunk + bytes(4) + b"IDAT" + bytes(4)

    assert "would take 1.6 GB of memory" in refusal(png(20_000, 20_000, 2))
    with pytest.raises(TooLargeError):
        decode_photo(png(20_000, 20_000, 2))
    assert "would take" not in refusal(png(12_000, 9_000, 2))  # but it is damaged


# --- what it is instead --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"<!DOCTYPE html><html>", "an HTML page, not a photo"),
        (b"\xef\xbb\xbf\n <html lang='en'>", "an HTML page, not a photo"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
            "a pointer of Git LFS, not the photo: run `git lfs pull`",
        ),
        (b"%PDF-1.7", "a PDF document, not a photo"),
        (b"no picture", "not a picture, or damaged at its start"),
    ],
)
def test_what_is_no_photo_is_called_what_it_is(content, kind):
    assert refusal(content) == kind


def test_importing_and_decoding_change_nothing_for_the_program():
    code = (
        "import logging, sys, warnings, numpy; from PIL import Image, ImageFile;"
        "state = lambda: (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES,"
        " list(warnings.filters), vars(logging.getLogger('PIL')).copy());"
        "before = state(); from catsdogs.data.images import decode_photo;"
        "decode_photo(sys.stdin.buffer.read()); print(state() == before)"
    )
    assert run_on(saved(drawn(), "TIFF"), code) == "True\n"
