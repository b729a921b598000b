"""What decoding a photo would take, found out before: small files can ask for hours and terabytes.

Memory is what counts, not the number of pixels: a JPEG of 200 million pixels that is shown small
is decoded at an eighth of its size.
"""

import re

from PIL import Image

from catsdogs.data import tiff_tags
from catsdogs.data.contents import TooLargeError
from catsdogs.data.metadata import SCAN, jpeg_segments

MAX_DECODED_BYTES = 1_000_000_000
"""Memory for one photo while it is decoded: 100 million pixels of the hungriest format, 250
million of the others."""

_USUAL_SCANS = 20
"""A progressive JPEG has about ten; each of them goes over all pixels."""

_MAX_SCANNED_PIXELS = 500_000_000
"""Pixels of all scans together, where there are more than usual."""

_EXTENT = re.compile(rb"ispe\0\0\0\0(.{8})", re.DOTALL)
"""The box in an AVIF or a HEIC that says how wide and high a picture, or a tile of it, is."""

_PROGRESSIVE_FRAMES = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}

_BYTES_PER_PIXEL = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}
"""As Pillow holds them; other modes take four."""

_CODEC_BYTES = {"WEBP": 12, "AVIF": 8, "HEIF": 6}
"""Bytes for a pixel beside Pillow's own: canvases, planes, and a copy on the way."""


def refuse_costly_file(content: bytes, format_name: str) -> None:
    """Look at a file before Pillow does.

    Raises:
        TooLargeError: it would take minutes or gigabytes, whatever it shows.
    """
    if format_name == "JPEG":
        _refuse_scans(content)
    elif format_name == "TIFF":
        _refuse_tiles(content)
    elif format_name in ("AVIF", "HEIF"):
        _refuse_cropped(content, format_name)


def refuse_costly_picture(image: Image.Image, format_name: str, stored: tuple[int, int]) -> None:
    """Look at what Pillow will decode, once it knows how far it may be shrunk on the way.

    Args:
        image: opened, not loaded.
        format_name: of the file.
        stored: width and height in the file.

    Raises:
        TooLargeError: it needs more memory than is spent on a photo.
    """
    per_pixel = _BYTES_PER_PIXEL.get(image.mode, 4)
    if image.mode != "RGB" or image.has_transparency_data:
        per_pixel += 4  # and once more as RGB
    per_pixel += _CODEC_BYTES.get(format_name, 0)
    _refuse(image.width * image.height * per_pixel, stored)


def _refuse(num_bytes: int, size: tuple[int, int]) -> None:
    if num_bytes > MAX_DECODED_BYTES:
        raise TooLargeError(
            f"{size[0]} x {size[1]} pixels would take {num_bytes / 1e9:,.1f} GB of memory, more "
            f"than the {MAX_DECODED_BYTES / 1e9:.0f} GB that a photo may"
        )


def _refuse_scans(content: bytes) -> None:
    """JPEGs whose pixels come again and again, each time in another scan."""
    num_scans, height, width, num_samples, is_progressive = 0, 0, 0, 0.0, False
    for marker, _, end in jpeg_segments(content):
        num_scans += marker == SCAN
        if marker in _FRAMES and not width:
            start = content.rfind(b"\xff" + bytes([marker]), 0, end) + 4
            height = int.from_bytes(content[start + 1 : start + 3])
            width = int.from_bytes(content[start + 3 : start + 5])
            factors = content[start + 7 : end : 3]
            blocks = [(factor >> 4) * (factor & 15) for factor in factors] or [1]
            num_samples = sum(blocks) / max(1, max(blocks))
            is_progressive = marker in _PROGRESSIVE_FRAMES
    if num_scans > _USUAL_SCANS and num_scans * width * height > _MAX_SCANNED_PIXELS:
        raise TooLargeError(
            f"{num_scans:,} scans of {width} x {height} pixels would take minutes to decode"
        )
    if is_progressive or num_scans > 1:  # two bytes of each sample are kept till the last scan
        _refuse(round(2 * num_samples * width * height), (width, height))


def _refuse_cropped(content: bytes, format_name: str) -> None:
    """Pictures in boxes of which a small part is shown, and all is decoded."""
    for found in _EXTENT.finditer(content):
        width, height = int.from_bytes(found[1][:4]), int.from_bytes(found[1][4:])
        _refuse(width * height * (4 + _CODEC_BYTES[format_name]), (width, height))


def _refuse_tiles(content: bytes) -> None:
    """TIFFs that unpack more than they show, or whose directory claims more than there is."""
    tags = tiff_tags.read_directory(content)
    if tags is None:
        return
    width, height = tags.number(tiff_tags.WIDTH, 0), tags.number(tiff_tags.HEIGHT, 0)
    if tiff_tags.TILE_WIDTH in tags.entries:
        across, down = (
            max(1, tags.number(tiff_tags.TILE_WIDTH, 1)),
            max(1, tags.number(tiff_tags.TILE_HEIGHT, 1)),
        )
        num_pixels = -(-width // across) * across * -(-height // down) * down
        at_once = across * down
    else:
        num_pixels = width * height
        at_once = width * min(height, max(1, tags.number(tiff_tags.ROWS_PER_STRIP, height)))
    bits = max(tags.values(tiff_tags.BITS) or (1,))
    num_samples = max(1, tags.number(tiff_tags.SAMPLES, 1))
    _refuse(round(num_pixels * num_samples * bits / 8), (width, height))
    if tags.number(tiff_tags.COMPRESSION, 1) in (6, 7):  # JPEGs inside
        num_scans = content.count(bytes([0xFF, SCAN]))
        if num_scans > 4 and num_scans * at_once > max(_MAX_SCANNED_PIXELS, 4 * num_pixels):
            raise TooLargeError(
                f"{num_scans:,} scans in tiles of {at_once:,} pixels would take minutes to decode"
            )
