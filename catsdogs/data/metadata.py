"""Photos without what is not their pixels: the way out where damaged metadata is in the way."""

import re
import struct
from collections.abc import Iterator

from catsdogs.data.tiff_tags import read_directory

_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])", re.DOTALL)
"""In a JPEG: what is neither data, nor fill bytes, nor a restart."""

SCAN, _IMAGE_START, _IMAGE_END, _ALONE = 0xDA, 0xD8, 0xD9, 0x01
_DROPPED = frozenset({*range(0xE0, 0xEE), 0xEF, 0xFE})
"""Segments of applications but Adobe's, which say how colours are stored; comments."""

_CRITICAL = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS"})
_METADATA_FLAGS = 0b00101100
"""Flags of a WebP: it has a colour profile, EXIF, XMP."""


def jpeg_segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """The segments of a JPEG as a decoder comes upon them: marker, start, end.

    A scan's compressed data, and whatever else lies between segments, belongs to none.
    """
    place = 2
    while found := _MARKER.search(content, place):
        marker, start = found[1][0], found.start()
        place = found.end()
        if marker == _IMAGE_END:
            return
        if marker not in (_IMAGE_START, _ALONE):
            place += int.from_bytes(content[place : place + 2])
        yield marker, start, place


def pixels_alone(content: bytes, format_name: str) -> bytes:
    """A photo file without its metadata; as it is where nothing can be left out."""
    match format_name:
        case "JPEG":
            return _jpeg_pixels(content)
        case "PNG":
            return _png_pixels(content)
        case "WEBP":
            return _webp_pixels(content)
        case "TIFF":
            directory = read_directory(content)
            return directory.pixels_alone() if directory else content
    return content


def _jpeg_pixels(content: bytes) -> bytes:
    kept, last = [], 0
    for marker, start, end in jpeg_segments(content):
        if marker == SCAN:
            break
        if marker in _DROPPED:
            kept.append(content[last:start])
            last = end
    return b"".join(kept) + content[last:]


def png_chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The chunks of a PNG: name, start, end."""
    place = 8
    while place + 8 <= len(content):
        end = place + 12 + int.from_bytes(content[place : place + 4])
        yield content[place + 4 : place + 8], place, end
        place = end


def _png_pixels(content: bytes) -> bytes:
    chunks = png_chunks(content)
    return content[:8] + b"".join(content[a:b] for name, a, b in chunks if name in _CRITICAL)


def _webp_pixels(content: bytes) -> bytes:
    kept, place = [], 12
    while place + 8 <= len(content):
        name = content[place : place + 4]
        size = int.from_bytes(content[place + 4 : place + 8], "little")
        end = place + 8 + size + size % 2
        if name == b"VP8X":
            flags = content[place + 8] & ~_METADATA_FLAGS if place + 8 < len(content) else 0
            kept.append(content[place : place + 8] + bytes([flags]) + content[place + 9 : end])
        elif name not in (b"EXIF", b"XMP ", b"ICCP"):
            kept.append(content[place:end])
        place = end
    body = b"".join(kept)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body
