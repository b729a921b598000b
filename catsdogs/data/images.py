"""The one way a file becomes pixels, for training and prediction alike."""

import ctypes
import logging
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from catsdogs.config import Fit
from catsdogs.data.contents import TooLargeError, hash_content, read_content
from catsdogs.errors import DataError

_FORMATS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "WEBP", "TIFF", "AVIF")
"""What Pillow may try: web pages serve AVIF under any suffix; EPS would start Ghostscript."""

MAX_PIXELS = 100_000_000
"""Larger pictures are refused before decoding: 300 MB as RGB, more than cameras make."""

_MAX_SCANNED_PIXELS = 40 * MAX_PIXELS
"""A progressive JPEG goes over its pixels about ten times; thousands would take minutes."""

_LARGE_PIXELS = 16_000_000
"""Pictures beyond this are decoded one at a time, whatever the number of threads."""

MEAN_COLOUR = (124, 116, 104)
"""ImageNet's (RGB): what lies outside a photo is near zero to the network."""

_STRIP_PIXELS = 4_000_000
"""So many are brought to RGB at once: a large picture is never held three times."""

Image.MAX_IMAGE_PIXELS = None  # MAX_PIXELS takes its place: an error, never a warning

# Damaged EXIF and the like: the photo itself is decoded or refused, with a reason, below.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

# Pillow's log lines repeat what it raises; without a handler of ours they go to stderr.
_log = logging.getLogger("PIL")
_log.addHandler(logging.NullHandler())
_log.propagate = False

# libtiff prints its complaints straight to stderr; Pillow raises for those that matter. Where
# libtiff is linked in a way that hides its functions, it goes on printing.
with suppress(OSError, AttributeError):
    _libtiff = ctypes.CDLL(Image.core.__file__)
    _libtiff.TIFFSetErrorHandler(None)
    _libtiff.TIFFSetWarningHandler(None)

# What Pillow's decoders raise on damaged files, besides OSError.
_DECODE_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    NotImplementedError,
    MemoryError,
    struct.error,
    zlib.error,
)

_UPRIGHT = {  # EXIF's orientation to what turns a picture stored that way upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_one_large_picture = threading.Lock()


@dataclass(frozen=True)
class Header:
    """What a photo file says about itself before it is decoded.

    Attributes:
        format: Pillow's name for it, such as `JPEG`.
        width, height: in pixels, as stored.
        is_animated: it holds several frames.
    """

    format: str
    width: int
    height: int
    is_animated: bool


def read_header(content: bytes) -> Header:
    """Look at the header of a photo.

    Raises:
        DataError: as `decode_photo`, where the header shows it.
    """
    with _opened(content) as image:
        # a phone's JPEG often holds a second picture for its gallery, and becomes an MPO
        is_animated = image.format != "MPO" and getattr(image, "is_animated", False)
        return Header(image.format or "", image.width, image.height, is_animated)


def decode_photo(content: bytes, size: tuple[int, int] | None = None) -> Image.Image:
    """Decode a photo, upright and in RGB, no smaller than it must be.

    JPEGs are decoded at the smallest of their scales (1, 1/2, 1/4, 1/8) that is not below
    `size`, which is quicker than decoding them whole and shrinks them by proper averages.
    EXIF orientation is applied; transparency is laid over white; of an animation the first
    frame is taken; 16-bit values keep their high byte.

    Args:
        content: the bytes of the file.
        size: height and width, in pixels, that the caller will bring the photo to; None
            decodes it whole.

    Returns:
        A loaded Pillow image in mode RGB.

    Raises:
        DataError: the photo cannot be decoded; the message gives the reason alone.
    """
    with _opened(content) as image:
        if size is not None:
            height, width = size
            lies_on_its_side = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5
            image.draft(None, (height, width) if lies_on_its_side else (width, height))
        is_large = image.width * image.height > _LARGE_PIXELS
        with _one_large_picture if is_large else nullcontext():
            image.load()
            turn = _UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
            image = _to_rgb(image)
            return image if turn is None else image.transpose(turn)


@contextmanager
def _opened(content: bytes) -> Iterator[Image.Image]:
    """A Pillow image whose header is sound, not yet decoded; its errors become reasons."""
    try:
        with Image.open(BytesIO(content), formats=_FORMATS) as image:
            num_pixels = image.width * image.height
            if num_pixels > MAX_PIXELS:
                raise TooLargeError(
                    f"{image.width} x {image.height} pixels are more than the "
                    f"{MAX_PIXELS // 1_000_000} million that are decoded"
                )
            num_scans = content.count(b"\xff\xda") if "progressive" in image.info else 1
            if num_scans * num_pixels > _MAX_SCANNED_PIXELS:
                raise TooLargeError(
                    f"{num_scans:,} scans of {image.width} x {image.height} pixels would take "
                    "minutes to decode"
                )
            yield image
    except _DECODE_ERRORS as error:
        raise DataError(_reason(error)) from None


def open_photo(path: Path, size: tuple[int, int]) -> Image.Image:
    """Read and decode a photo file, as `decode_photo` does.

    Raises:
        DataError: the file cannot be read or decoded; the message gives the reason alone,
            without the path.
    """
    return decode_photo(read_content(path), size)


def open_unchanged(path: Path, content_hash: bytes, size: tuple[int, int]) -> Image.Image:
    """Decode a photo file whose content has been hashed before, or refuse another content.

    What is decoded is what was hashed: both are of the same bytes in memory.

    Raises:
        DataError: as `open_photo`, or the file has changed since it was hashed.
    """
    content = read_content(path)
    if hash_content(content) != content_hash:
        raise DataError("changed while it was read")
    return decode_photo(content, size)


def frame(image: Image.Image, size: tuple[int, int], fit: Fit) -> Image.Image:
    """Give a photo the shape of a size, but for its number of pixels, unless it is stretched.

    Args:
        image: RGB photo of any size.
        size: height and width, in pixels, that the caller will bring it to.
        fit: `crop` takes the largest part in its middle that has the shape; `pad` puts the
            whole photo in the middle of the smallest such shape; `stretch` leaves it as it is.
    """
    height, width = size
    if fit == "pad":  # a strip of pixels would become a square of many millions
        factor = max(image.width // width, image.height // height) // 2
        image = image.reduce(factor) if factor > 1 else image
    wanted_width = round(image.height * width / height)
    wanted_height = round(image.width * height / width)
    if fit == "stretch" or wanted_width == image.width:
        return image
    if (wanted_width < image.width) == (fit == "crop"):
        framed_width, framed_height = max(1, wanted_width), image.height
    else:
        framed_width, framed_height = image.width, max(1, wanted_height)
    left, top = (image.width - framed_width) // 2, (image.height - framed_height) // 2
    if fit == "crop":
        return image.crop((left, top, left + framed_width, top + framed_height))
    framed = Image.new("RGB", (framed_width, framed_height), MEAN_COLOUR)
    framed.paste(image, (-left, -top))
    return framed


def fit_to(image: Image.Image, size: tuple[int, int], fit: Fit = "stretch") -> np.ndarray:
    """Bring an image to a size, averaging where it shrinks.

    Returns:
        uint8 array of shape `(height, width, 3)`, RGB, 0 to 255.
    """
    height, width = size
    framed = frame(image, size, fit)
    return np.asarray(framed.resize((width, height), Image.Resampling.BILINEAR))


def read_photo(path: Path, size: tuple[int, int], fit: Fit = "stretch") -> np.ndarray:
    """Read a photo as it is shown to the network.

    Returns:
        uint8 array of shape `(height, width, 3)`, RGB, 0 to 255.

    Raises:
        DataError: as `open_photo`.
    """
    return fit_to(open_photo(path, size), size, fit)


def _to_rgb(image: Image.Image) -> Image.Image:
    """In RGB; a large picture strip by strip, so that it is in memory once in each mode."""
    if image.mode == "RGB" and not image.has_transparency_data:
        return image
    scale = 1
    if image.mode == "F":  # floating-point TIFF: 0 to 1 by convention, else 0 to 255
        scale = 255 if np.nanmax(np.asarray(image), initial=0) <= 1 else 1
    rows = max(1, _STRIP_PIXELS // image.width)
    if rows >= image.height:
        return _strip_to_rgb(image, scale)
    whole = Image.new("RGB", image.size)
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        whole.paste(_strip_to_rgb(strip, scale), (0, top))
    return whole


def _strip_to_rgb(image: Image.Image, scale: int) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits, in a container of 16 or 32
        return Image.fromarray(
            (np.clip(np.asarray(image), 0, 65535) // 256).astype(np.uint8)
        ).convert("RGB")
    if image.mode == "F":
        values = np.nan_to_num(np.asarray(image))
        return Image.fromarray((np.clip(values, 0, 255 / scale) * scale).astype(np.uint8)).convert(
            "RGB"
        )
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def _reason(error: Exception) -> str:
    if isinstance(error, Image.UnidentifiedImageError):
        return "not a picture, or damaged at its start"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    text = " ".join(str(error).split())
    return f"damaged: {text}" if text else f"damaged ({type(error).__name__})"
