"""The one way a file becomes pixels, for training and prediction alike."""

import io
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
from catsdogs.data.contents import TooLargeError, hash_content, read_content
from catsdogs.data.decoding_costs import refuse_costly_file, refuse_costly_picture
from catsdogs.data.greys import (
    declared_range,
    find_range,
    is_inverted,
    is_unsigned,
    to_eight_bits,
)
from catsdogs.data.metadata import pixels_alone
from catsdogs.data.photo_kinds import format_of, open_as
from catsdogs.data.quiet import quieten_libtiff_if_asked
from catsdogs.data.tiff_tags import read_directory
from catsdogs.errors import DataError
from catsdogs.untrusted.boundary import foreign_content, passed_over, reason_of

_LARGE_PIXELS = 16_000_000
"""Pictures beyond this are decoded one at a time, whatever the number of threads."""

MEAN_COLOUR = (124, 116, 104)
"""ImageNet's (RGB): what lies outside a photo is near zero to the network."""

_LARGEST_FRAME = 50_000_000
"""Pixels that a photo may have with what is laid beside it; a longer one is shrunk first."""

_STRIP_PIXELS = 4_000_000
"""So many are brought to RGB at once: a large picture is never held three times."""

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
                image = _grey_to_rgb(image, content, format_name)
            else:
                image = _to_rgb(image)
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


def frame(image: Image.Image, size: tuple[int, int], fit: Fit) -> Image.Image:
    """Give a photo the shape of a size, but for its number of pixels, unless it is stretched.

    Args:
        image: RGB photo of any size.
        size: height and width, in pixels, that the caller will bring it to.
        fit: `crop` takes the largest part in its middle that has the shape; `pad` puts the
            whole photo in the middle of the smallest such shape; `stretch` leaves it as it is.
    """
    height, width = size
    if fit == "pad":
        side = max(image.width / width, image.height / height)
        if side**2 * width * height > _LARGEST_FRAME:  # a strip of pixels in a vast square
            image = image.reduce(max(2, int(side) // 2))
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
    if isinstance(photo, str | Path):
        return open_photo(Path(photo), size)
    if isinstance(photo, bytes):
        return decode_photo(photo, size)
    if isinstance(photo, Image.Image):
        with foreign_content(_reason):
            photo.load()
            turn = _UPRIGHT.get(_orientation(photo))
            if photo.mode.startswith(("I", "F")):  # as a file of it would be scaled
                buffer = io.BytesIO()
                photo.save(buffer, "TIFF")
                image = decode_photo(buffer.getvalue(), size)
            else:
                image = _to_rgb(photo)
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


def _grey_to_rgb(image: Image.Image, content: bytes, format_name: str) -> Image.Image:
    """A grey photo of more than 8 bits in RGB, its values scaled as `greys` says."""
    values = np.asarray(image)  # (height, width)
    if image.mode == "I" and is_unsigned(content, format_name):
        values = values.view(np.uint32)
    limits = find_range(values, declared_range(content, format_name))
    whole = np.empty(values.shape, np.uint8)
    rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        whole[top : top + rows] = to_eight_bits(values[top : top + rows], limits)
    if is_inverted(content, format_name):
        whole = 255 - whole
    return Image.fromarray(whole).convert("RGB")


def _to_rgb(image: Image.Image) -> Image.Image:
    """In RGB; a large picture strip by strip, so that it is in memory once in each mode."""
    if image.mode == "RGB" and not image.has_transparency_data:
        return image
    rows = max(1, _STRIP_PIXELS // image.width)
    if rows >= image.height:
        return _strip_to_rgb(image)
    whole = Image.new("RGB", image.size)
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        whole.paste(_strip_to_rgb(strip), (0, top))
    return whole


def _strip_to_rgb(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def _reason(error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return "more pixels than are decoded"
    text = reason_of(error)
    return text if isinstance(error, OSError) and error.strerror else f"damaged: {text}"
