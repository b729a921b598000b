"""The one way a file becomes pixels, for training and prediction alike."""

import io
import os
import struct
import threading
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import ExifTags, Image

from catsdogs.config import Fit
from catsdogs.data import tiff_tags
from catsdogs.data.colours import grey_to_rgb, to_rgb
from catsdogs.data.contents import TooLargeError, hash_content, read_content
from catsdogs.data.decoding_costs import refuse_costly_file, refuse_costly_picture
from catsdogs.data.framing import fit_to
from catsdogs.data.metadata import pixels_alone
from catsdogs.data.photo_kinds import format_of, open_as
from catsdogs.data.quiet import quieten_libtiff_if_asked
from catsdogs.data.tiff_tags import read_directory
from catsdogs.errors import DataError
from catsdogs.untrusted.boundary import foreign_content, passed_over, reason_of

_LARGE_PIXELS = 16_000_000
"""Pictures beyond this are decoded one at a time, whatever the number of threads."""

_MOST_EXIF_BYTES = 1_000_000
"""Where the entries of EXIF claim more, it is no photo's, and is passed over."""

_MIN_SPREAD = 8
"""Levels of 255 between the darkest and the brightest hundredth: less shows nothing."""

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

    def look(image: Image.Image, content: bytes, format_name: str) -> Header:
        # a phone's JPEG often holds a second picture for its gallery, and becomes an MPO
        is_animated = image.format != "MPO" and getattr(image, "is_animated", False)
        return Header(image.format or "", image.width, image.height, is_animated)

    return _with_opened(content, look)


def read_exif(content: bytes) -> bytes:
    """The block of EXIF in a photo of any format, as it stands there; empty where there is none.

    Raises:
        DataError: as `decode_photo`, where the header shows it.
    """

    def look(image: Image.Image, content: bytes, format_name: str) -> bytes:
        block = image.info.get("exif")
        return block if isinstance(block, bytes) else b""

    return _with_opened(content, look)


def decode_photo(content: bytes, size: tuple[int, int] | None = None) -> Image.Image:
    """Decode a photo, upright and in RGB, no smaller than it must be.

    JPEGs are decoded at the smallest of their scales (1, 1/2, 1/4, 1/8) that is not below
    `size`, which is quicker than decoding them whole and shrinks them by proper averages.
    EXIF orientation is applied; transparency is laid over white; of an animation the first
    frame is taken; greys of more than 8 bits are scaled as `greys` says. Metadata that is
    damaged is passed over.

    Args:
        content: the bytes of the file.
        size: height and width, in pixels, that the caller will bring the photo to; None
            decodes it whole.

    Returns:
        A loaded Pillow image in mode RGB.

    Raises:
        DataError: the photo cannot be decoded; the message gives the reason alone.
    """

    def decode(image: Image.Image, content: bytes, format_name: str) -> Image.Image:
        stored = image.size
        if size is not None and format_name == "JPEG":  # to ask others for EXIF loads them
            height, width = size
            lies_on_its_side = _orientation(image) >= 5
            image.draft(None, (height, width) if lies_on_its_side else (width, height))
        refuse_costly_picture(image, format_name, stored)
        is_large = image.width * image.height > _LARGE_PIXELS
        with _one_large_picture if is_large else nullcontext():
            if format_name == "TIFF":
                quieten_libtiff_if_asked()
            image.load()
            turn = _UPRIGHT.get(_orientation(image))
            if image.mode.startswith(("I", "F")):
                image = grey_to_rgb(image, content, format_name)
            else:
                image = to_rgb(image)
            return image if turn is None else image.transpose(turn)

    return _with_opened(content, decode)


def _orientation(image: Image.Image) -> int:
    """How EXIF, or else XMP, says that the camera was held; 1 where they say nothing of use."""
    block = image.info.get("exif")
    if isinstance(block, bytes):
        directory = read_directory(block.removeprefix(b"Exif\0\0"))
        if directory is not None and directory.claimed_bytes() > _MOST_EXIF_BYTES:
            return 1
    with passed_over():
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
        return value if isinstance(value, int) and value in range(1, 9) else 1
    return 1


Result = TypeVar("Result")

_UNKNOWN = (SyntaxError, IndexError, TypeError, EOFError, struct.error)
"""What Pillow's plugins raise where the start of a file is not what they read."""


def _with_opened(content: bytes, use: Callable[[Image.Image, bytes, str], Result]) -> Result:
    """Open a photo and use it; where that fails, once more without its metadata.

    Raises:
        DataError: the photo cannot be used; the message gives the reason alone.
    """
    format_name = format_of(content)
    refuse_costly_file(content, format_name)
    try:
        return _use(content, format_name, use)
    except TooLargeError:
        raise
    except DataError as error:
        bare = pixels_alone(content, format_name)
        if bare == content:
            raise
        with suppress(DataError):
            return _use(bare, format_name, use)
        raise error from None


def _use(
    content: bytes, format_name: str, use: Callable[[Image.Image, bytes, str], Result]
) -> Result:
    readable, kind = content, "not a picture, or damaged at its start"
    if format_name == "TIFF" and (tags := read_directory(content)) is not None:
        if tags.is_unsigned() or tags.claimed_bytes() > 2 * len(content):
            readable = tags.pixels_alone(as_signed=tags.is_unsigned())
        if tags.values(tiff_tags.WIDTH):
            samples, bits = tags.number(tiff_tags.SAMPLES, 1), tags.number(tiff_tags.BITS, 1)
            kind = f"a TIFF that is not read ({samples} x {bits} bits a pixel), or is damaged"
    with foreign_content(lambda error: kind if isinstance(error, _UNKNOWN) else _reason(error)):
        image = open_as(format_name, readable)
    with foreign_content(_reason), image:
        return use(image, content, format_name)


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


def read_photo(path: Path, size: tuple[int, int], fit: Fit = "stretch") -> np.ndarray:
    """Read a photo as it is shown to the network.

    Returns:
        uint8 array of shape `(height, width, 3)`, RGB, 0 to 255.

    Raises:
        DataError: as `open_photo`.
    """
    return fit_to(open_photo(path, size), size, fit)


Photo = Path | str | bytes | Image.Image | np.ndarray
"""A photo in any form: a file, the bytes of one, a Pillow image, or pixels, uint8 RGB of shape
`(height, width, 3)`."""


def read_any(photo: Photo, size: tuple[int, int], fit: Fit = "stretch") -> np.ndarray:
    """Bring a photo in any form to what the network is shown.

    Returns:
        uint8 array of shape `(height, width, 3)`, RGB, 0 to 255.

    Raises:
        DataError: as `open_photo`, or an array is not uint8 `(height, width, 3)`.
    """
    return fit_to(open_any(photo, size), size, fit)


def open_any(photo: Photo, size: tuple[int, int]) -> Image.Image:
    """A photo in any form as `open_photo` gives a file: upright and in RGB.

    Raises:
        DataError: as `open_photo`, or an array is not uint8 `(height, width, 3)`.
    """
    if isinstance(photo, str | os.PathLike):
        return open_photo(Path(photo), size)
    if isinstance(photo, bytes | bytearray | memoryview):
        return decode_photo(bytes(photo), size)
    if isinstance(photo, Image.Image):
        if 0 in photo.size:
            raise DataError(f"a picture of {photo.width} x {photo.height} pixels")
        with foreign_content(_reason):
            photo.load()
            turn = _UPRIGHT.get(_orientation(photo))
            if photo.mode.startswith(("I", "F")):  # as a file of it would be scaled
                buffer = io.BytesIO()
                photo.save(buffer, "TIFF")
                image = decode_photo(buffer.getvalue(), size)
            else:
                image = to_rgb(photo)
            return image if turn is None else image.transpose(turn)
    if not isinstance(photo, np.ndarray):
        raise DataError(
            f"{type(photo).__name__} is no photo: expected a path, bytes, Pillow image or array"
        )
    if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3 or not photo.size:
        raise DataError(
            f"an array of {photo.dtype} {photo.shape}: expected uint8 (height, width, 3), RGB"
        )
    return Image.fromarray(photo)


def is_flat(pixels: np.ndarray) -> bool:
    """Whether a photo is of one value, or nearly so, in each of its colours.

    Args:
        pixels: uint8 `(height, width, 3)`.
    """
    step = max(1, min(pixels.shape[:2]) // 64)
    low, high = np.percentile(pixels[::step, ::step].reshape(-1, 3), (1, 99), axis=0)
    return bool((high - low).max() < _MIN_SPREAD)


def _reason(error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return "more pixels than are decoded"
    text = reason_of(error)
    return text if isinstance(error, OSError) and error.strerror else f"damaged: {text}"
