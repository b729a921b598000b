"""The one way a file becomes pixels, for training and prediction alike."""

import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

from catsdogs.errors import DataError

PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff"})
"""In lower case; file names are compared in lower case too."""

MAX_PIXELS = 100_000_000
"""Larger pictures are refused before decoding: 300 MB as RGB, more than cameras make."""

Image.MAX_IMAGE_PIXELS = None  # MAX_PIXELS takes its place: an error, never a warning

# Damaged EXIF and the like: the photo itself is decoded or refused, with a reason, below.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

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


def is_photo(path: Path) -> bool:
    """Tell by its name whether a file is meant as a photo."""
    return path.suffix.lower() in PHOTO_SUFFIXES and not path.name.startswith(".")


def open_photo(path: Path, size: tuple[int, int]) -> Image.Image:
    """Decode a photo, upright and in RGB, no smaller than it must be.

    JPEGs are decoded at the smallest of their scales (1, 1/2, 1/4, 1/8) that is not below
    `size`, which is quicker than decoding them whole and shrinks them by proper averages.
    EXIF orientation is applied; transparency is laid over white; of an animation the first
    frame is taken; 16-bit values keep their high byte.

    Args:
        path: the file.
        size: height and width, in pixels, that the caller will bring the photo to.

    Returns:
        A loaded Pillow image in mode RGB.

    Raises:
        DataError: the file cannot be read or decoded; the message gives the reason alone,
            without the path.
    """
    height, width = size
    try:
        with Image.open(path) as image:
            if image.width * image.height > MAX_PIXELS:
                raise DataError(
                    f"{image.width} x {image.height} pixels are more than the "
                    f"{MAX_PIXELS // 1_000_000} million that are decoded"
                )
            lies_on_its_side = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5
            image.draft(None, (height, width) if lies_on_its_side else (width, height))
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            return _to_rgb(image)
    except _DECODE_ERRORS as error:
        raise DataError(_reason(error)) from None


def fit_to(image: Image.Image, size: tuple[int, int]) -> np.ndarray:
    """Stretch an image to a size, averaging where it shrinks.

    Returns:
        uint8 array of shape `(height, width, 3)`, RGB, 0 to 255.
    """
    height, width = size
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


def read_photo(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Read a photo as it is shown to the network.

    Returns:
        uint8 array of shape `(height, width, 3)`, RGB, 0 to 255.

    Raises:
        DataError: as `open_photo`.
    """
    return fit_to(open_photo(path, size), size)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits, in a container of 16 or 32
        return Image.fromarray(
            (np.clip(np.asarray(image), 0, 65535) // 256).astype(np.uint8)
        ).convert("RGB")
    if image.mode == "F":  # floating-point TIFF: 0 to 1 by convention, else 0 to 255
        values = np.nan_to_num(np.asarray(image))
        scale = 255 if values.max() <= 1 else 1
        return Image.fromarray(np.clip(values * scale, 0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB") if image.mode != "RGB" else image


def _reason(error: Exception) -> str:
    if isinstance(error, Image.UnidentifiedImageError):
        return "not a picture, or damaged at its start"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    text = " ".join(str(error).split())
    return f"damaged: {text}" if text else f"damaged ({type(error).__name__})"
