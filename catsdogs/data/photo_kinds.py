"""What a file is by its first bytes: a photo that Pillow reads, or what it is instead."""

import importlib
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO

from PIL import Image

from catsdogs.errors import DataError
from catsdogs.systems import shell_word

_PLUGINS = {
    "JPEG": "JpegImagePlugin",
    "PNG": "PngImagePlugin",
    "GIF": "GifImagePlugin",
    "WEBP": "WebPImagePlugin",
    "TIFF": "TiffImagePlugin",
    "BMP": "BmpImagePlugin",
    "DIB": "BmpImagePlugin",
    "AVIF": "AvifImagePlugin",
}
"""What Pillow may try, and where: web pages serve AVIF under any suffix; EPS would start
Ghostscript."""

NOT_READ_HERE = {
    "AVIF": "an AVIF photo, which this Pillow does not read: install a newer Pillow, "
    "or convert it to JPEG",
    "HEIF": f"a HEIC photo: run `pip install {shell_word('catsdogs[heic]')}` to read it, "
    "or convert it to JPEG",
}
"""What is said of formats that not every installation reads."""

_OTHER_KINDS = (
    (b"version https://git-lfs", "a pointer of Git LFS, not the photo: run `git lfs pull`"),
    (b"/annex/objects/", "a pointer of git-annex, not the photo: run `git annex get`"),
    (b"<!doctype html", "an HTML page, not a photo"),
    (b"<html", "an HTML page, not a photo"),
    (b"<svg", "an SVG drawing, not a photo"),
    (b"<?xml", "XML, not a photo"),
    (b"%pdf", "a PDF document, not a photo"),
    (b"pk\3\4", "a ZIP archive, not a photo"),
    (b"8bps", "a Photoshop file: save it as JPEG or PNG"),
    (b"\0\0\0\x0cjxl ", "a JPEG XL photo: convert it to JPEG or PNG"),
    (b"\xff\x0a", "a JPEG XL photo: convert it to JPEG or PNG"),
    (b"\0\0\0\x0cjp  ", "a JPEG 2000 photo: convert it to JPEG or PNG"),
    (b"fujifilmccd-raw", "a raw photo of a camera: convert it to JPEG or TIFF"),
)
"""Beginnings of other files, in lower case, after white space and a byte order mark."""

_DIB_HEADERS = (40, 52, 56, 64, 108, 124)
"""Lengths of a header that a BMP without its first 14 bytes begins with."""

_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def format_of(content: bytes) -> str:
    """Pillow's name for the format of a photo, such as `JPEG`.

    Raises:
        DataError: it is none that is read; says what it is, where that is known.
    """
    start = content[:32]
    if start.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if start.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
        return "WEBP"
    if start.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"II\0*", b"MM*\0")):
        return "TIFF"
    if start.startswith(b"BM"):
        return "BMP"
    if int.from_bytes(start[:4], "little") in _DIB_HEADERS and start[12:14] == b"\1\0":
        return "DIB"
    if start[4:8] == b"ftyp":
        return _format_of_boxes(content)
    if content[128:132] == b"DICM":
        raise DataError("a DICOM file: convert it to PNG or TIFF")
    text = content[:512].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for mark, kind in _OTHER_KINDS:
        if text.startswith(mark):
            raise DataError(kind)
    raise DataError("not a picture, or damaged at its start")


def _format_of_boxes(content: bytes) -> str:
    """As `format_of`, of a file in boxes: AVIF and HEIC photos, films and more."""
    brands = content[8 : min(int.from_bytes(content[:4]), 256)]
    if b"avif" in brands or b"avis" in brands:
        return "AVIF"
    if any(brand in brands for brand in _HEIC_BRANDS):
        return "HEIF"
    raise DataError("a film or another file in boxes, not a photo")


def open_as(format_name: str, content: bytes) -> Image.Image:
    """Open a photo by the plugin for its format, and by no other one.

    Other than `Image.open` this asks for no limit that holds for the whole program.

    Raises:
        DataError: no package here reads the format; says which one would.
        Exception: whatever Pillow raises on damaged files.
    """
    factory = _heif_factory() if format_name == "HEIF" else _pillow_factory(format_name)
    if factory is None:
        unknown = f"{format_name}, which this Pillow does not read"
        raise DataError(NOT_READ_HERE.get(format_name, unknown))
    return factory(BytesIO(content), "")


_Factory = Callable[..., Image.Image]


def _pillow_factory(format_name: str) -> _Factory | None:
    with suppress(ImportError, KeyError):
        plugin = importlib.import_module(f"PIL.{_PLUGINS[format_name]}")
        if getattr(plugin, "SUPPORTED", True):
            return Image.OPEN[format_name][0]
    return None


def _heif_factory() -> _Factory | None:
    """The class itself: registered with Pillow, it would change Pillow for the whole program."""
    with suppress(ImportError):
        return importlib.import_module("pillow_heif").HeifImageFile
    return None
