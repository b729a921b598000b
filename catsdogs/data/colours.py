"""How decoded pixels of any mode become RGB."""

import numpy as np
from PIL import Image

from catsdogs.data.greys import (
    declared_range,
    find_range,
    is_inverted,
    is_unsigned,
    to_eight_bits,
)

_STRIP_PIXELS = 4_000_000
"""So many are brought to RGB at once: a large picture is never held three times."""


def grey_to_rgb(image: Image.Image, content: bytes, format_name: str) -> Image.Image:
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


def to_rgb(image: Image.Image) -> Image.Image:
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
