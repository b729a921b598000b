"""How a photo of any shape is brought to the size that the network takes."""

import numpy as np
from PIL import Image

from catsdogs.config import Fit

MEAN_COLOUR = (124, 116, 104)
"""ImageNet's (RGB): what lies outside a photo is near zero to the network."""

_LARGEST_FRAME = 50_000_000
"""Pixels that a photo may have with what is laid beside it; a longer one is shrunk first."""


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
